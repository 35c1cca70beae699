// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace penstock {

// 64 lower-case hexadecimal digits of the SHA-256 (FIPS 180-4) of bytes.
std::string Sha256Hex(std::string_view bytes);

// True for 64 lower-case hexadecimal digits: the only form in which a digest may become part of a
// path.
bool IsSha256Hex(std::string_view text);

// SHA-256 of what comes in pieces. Not for two threads at once.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void Update(std::string_view bytes);
  // Ends the digest; call it once.
  std::string FinishHex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock
