// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/own_format.h"

namespace penstock::engine {

// A step of an evaluator file and the arrays that its members name. Both must outlive it. Every
// reader refuses (kInvalidArgument) with the member's name.
class StepReader {
 public:
  StepReader(const OwnFile& file, const json::Value& step) : file_(file), step_(step) {}

  const json::Value& step() const { return step_; }
  const OwnFile& file() const { return file_; }
  // Whether there is such a member, other than null.
  bool Has(std::string_view member) const;
  Result<const OwnArray*> Array(std::string_view member) const;
  Result<std::vector<double>> Numbers(std::string_view member) const;
  // So many of them.
  Result<std::vector<double>> Numbers(std::string_view member, int64_t count) const;
  Result<std::vector<int64_t>> Integers(std::string_view member) const;
  // Indices below `limit`.
  Result<std::vector<int64_t>> Indices(std::string_view member, int64_t limit) const;
  // The number, or `otherwise` where there is none.
  Result<double> Number(std::string_view member, double otherwise) const;
  Result<bool> Flag(std::string_view member) const;  // false where there is none
  // A step in float32; float64 where it does not say.
  Result<bool> IsFloat32(std::string_view member = "dtype") const;

 private:
  const OwnFile& file_;
  const json::Value& step_;
};

}  // namespace penstock::engine
