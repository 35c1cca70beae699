// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::protocol {

// A JSON number (RFC 8259, section 6) as it stands in the text.
struct JsonNumber {
  double value = 0;
  int64_t integer = 0;      // where is_integer
  bool is_integer = false;  // without fraction and exponent, within int64, and not -0
  bool is_finite = true;    // false: its size is beyond double, and value holds nothing
};

// Reads JSON text from the front, strictly by RFC 8259, without recursion into what it reads. Every Read and Skip
// returns false at a fault; fault() says what was expected and offset() where. Borrows the text.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text)
      : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {}

  size_t offset() const { return static_cast<size_t>(at_ - begin_); }
  const char* fault() const { return fault_; }
  bool Fail(const char* fault) {
    fault_ = fault;
    return false;
  }

  void SkipSpace() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  // The next character after white space, or '\0' at the end (which no JSON token starts with).
  char Peek() {
    SkipSpace();
    return at_ == end_ ? '\0' : *at_;
  }
  bool is_at_end() {
    SkipSpace();
    return at_ == end_;
  }
  // Steps over c when it comes next.
  bool Take(char c) {
    if (Peek() != c || at_ == end_) return false;
    ++at_;
    return true;
  }
  // Steps over exactly these bytes when they come next.
  bool TakeBytes(std::string_view bytes) {
    SkipSpace();
    if (static_cast<size_t>(end_ - at_) < bytes.size() || __builtin_memcmp(at_, bytes.data(), bytes.size()) != 0) {
      return false;
    }
    at_ += bytes.size();
    return true;
  }

  // `"..."`. text is a view of the document where it has no escapes, else of scratch; valid UTF-8.
  bool ReadString(std::string_view& text, std::string& scratch);
  // `"...":`
  bool ReadKey(std::string_view& key, std::string& scratch);
  bool ReadNumber(JsonNumber& number);
  // true, false, null.
  bool ReadWord(std::string_view word);

  // Steps over a value of any kind, nested up to depth_max.
  bool SkipValue(int depth_max);

 private:
  bool ReadEscape(std::string& out);
  bool ReadHex4(unsigned& code);
  bool SkipUtf8Sequence();
  bool SkipScalar();
  bool FinishNumber(const char* start, int exponent, JsonNumber& number);

  const char* begin_;
  const char* at_;
  const char* end_;
  const char* fault_ = "";
};

}  // namespace penstock::protocol
