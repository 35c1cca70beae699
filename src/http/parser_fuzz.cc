// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "http/parser.h"

namespace penstock::http {
namespace {

// Small, so that a fuzzer reaches them.
constexpr Limits kLimits = {.request_line_bytes_max = 128,
                            .header_bytes_max = 512,
                            .header_count_max = 8,
                            .body_bytes_max = 256};
constexpr int kRequestsMax = 16;

// What a stream of requests comes to, as text.
std::string Read(std::string_view input, std::string_view cuts) {
  std::string said;
  Parser parser(kLimits);
  // Exactly as large as needed: a sanitizer sees every byte read beyond it.
  std::vector<char> buffer;
  size_t fed = 0;
  size_t cut = 0;
  for (int requests = 0; requests < kRequestsMax;) {
    size_t size = buffer.size();
    const Parser::Outcome outcome =
        size == 0 ? Parser::Outcome::kNeedMore : parser.Parse(buffer.data(), size);
    buffer.resize(size);
    if (outcome == Parser::Outcome::kFailed) {
      return said + "failed " + std::to_string(parser.error().status) + " " + parser.error().detail;
    }
    if (outcome == Parser::Outcome::kDone) {
      const Request& r = parser.request();
      said.append(r.method)
          .append(" ")
          .append(r.path)
          .append("?")
          .append(r.query)
          .append(" ")
          .append(r.body);
      said.append(r.Header("host").value_or("none"))
          .append(parser.keep_alive() ? " stays\n" : " closes\n");
      PENSTOCK_CHECK(r.body.size() <= kLimits.body_bytes_max && parser.consumed() <= buffer.size());
      buffer.erase(buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(parser.consumed()));
      parser.Reset();
      ++requests;
      if (!buffer.empty()) continue;
    }
    if (fed == input.size()) return said + (parser.has_begun() ? "in the middle" : "at the end");
    const size_t piece =
        cuts.empty() ? input.size() : 1 + static_cast<uint8_t>(cuts[cut++ % cuts.size()]) % 32;
    const std::string_view next = input.substr(fed, piece);
    fed += next.size();
    std::vector<char> grown;
    grown.reserve(buffer.size() + next.size());
    grown.insert(grown.end(), buffer.begin(), buffer.end());
    grown.insert(grown.end(), next.begin(), next.end());
    buffer.swap(grown);
  }
  return said + "many";
}

}  // namespace
}  // namespace penstock::http

// The first 8 bytes say how the rest is cut. However it is cut, the outcome must be the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kCuts = 8;
  if (size < kCuts) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::string whole = penstock::http::Read(all.substr(kCuts), "");
  const std::string pieces = penstock::http::Read(all.substr(kCuts), all.substr(0, kCuts));
  PENSTOCK_CHECK(whole == pieces);
  return 0;
}
