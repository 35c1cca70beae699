// SPDX-License-Identifier: Apache-2.0
#include "http/request.h"

#include "http/characters.h"

namespace penstock::http {

std::optional<std::string_view> Request::Header(std::string_view name) const {
  for (const HeaderField& field : fields_) {
    if (field.name_size != name.size()) continue;
    if (EqualsIgnoringCase({base_ + field.name_begin, field.name_size}, name)) {
      return std::string_view(base_ + field.value_begin, field.value_size);
    }
  }
  return std::nullopt;
}

bool PercentDecode(std::string_view encoded, std::string& out) {
  out.clear();
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] != '%') {
      out += encoded[i];
      continue;
    }
    if (encoded.size() - i < 3) return false;
    const int high = HexDigit(encoded[i + 1]);
    const int low = HexDigit(encoded[i + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

}  // namespace penstock::http
