// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdint>

#include "base/check.h"
#include "json/value.h"
#include "package/features.h"
#include "protocol/features.h"
#include "serve/fake_model.h"

namespace penstock::protocol {
namespace {

using package::Type;

// simdjson's tree refuses integers beyond 64 bits; the one pass reads them as doubles.
bool HasLongNumber(std::string_view body) {
  size_t digits = 0;
  for (char c : body) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits >= 19) return true;
  }
  return false;
}

// What the request holds by way of a tree and package::SetFeatures: slower, written apart, and by
// the same rules.
Status ReadThroughTree(std::string_view body, const package::Columns& columns,
                       package::Tensors& tensors) {
  const json::Value tree = PENSTOCK_TRY(json::Parse(body));
  const json::Object* members = tree.if_object();
  if (members == nullptr || members->size() != 1 || members->front().first != "features") {
    return InvalidArgument("not an object with the one member 'features'");
  }
  return package::SetFeatures(members->front().second, columns, "/features", tensors);
}

bool IsSame(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

void CheckSame(const package::Tensors& a, const package::Tensors& b) {
  PENSTOCK_CHECK(a.rows() == b.rows());
  for (size_t t = 0; t < a.tensors().size(); ++t) {
    const auto count = static_cast<size_t>(a.rows() * a.tensors()[t].width);
    for (size_t i = 0; i < count; ++i) {
      if (a.tensors()[t].type == Type::kString) {
        PENSTOCK_CHECK(a.tensors()[t].strings[i] == b.tensors()[t].strings[i]);
      } else {
        PENSTOCK_CHECK(IsSame(a.tensors()[t].float64[i], b.tensors()[t].float64[i]));
      }
    }
  }
}

std::shared_ptr<const serve::Snapshot> MakeSnapshot() {
  static observe::Metrics metrics(1);
  package::Signature signature = serve::FakeModel::SignatureOf({{"a", Type::kInt64},
                                                                {"b", Type::kFloat64},
                                                                {"c\"\n/~", Type::kString},
                                                                {"d", Type::kBool},
                                                                {"e", Type::kFloat32}});
  signature.inputs[1].allows_missing = true;
  signature.inputs[2].allows_missing = true;
  signature.inputs[4].abs_max = package::Bound{.value = 1e6};
  return *serve::Snapshot::Make(std::make_unique<serve::FakeModel>(std::move(signature)), {"m", 1},
                                {}, Clock::System(), metrics);
}

void CheckProblem(const Problem& problem) {
  PENSTOCK_CHECK(problem.http_status == 400 || problem.http_status == 422);
  PENSTOCK_CHECK(!problem.detail.empty());
  PENSTOCK_CHECK(json::Parse(ProblemBody(problem)).ok());
}

}  // namespace
}  // namespace penstock::protocol

// JSON to tensors: never crashes, always a valid problem, and takes exactly what the slow way
// takes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock;
  static const std::shared_ptr<const serve::Snapshot> snapshot = protocol::MakeSnapshot();
  static const std::unique_ptr<serve::Workspace> fast = *snapshot->TakeWorkspace();
  static const std::unique_ptr<serve::Workspace> slow = *snapshot->TakeWorkspace();
  const std::string_view body(reinterpret_cast<const char*>(data), size);

  const std::optional<protocol::Problem> problem =
      protocol::DecodeFeatures(body, *snapshot, {.batch_rows_max = 1'000'000}, *fast);
  if (problem) protocol::CheckProblem(*problem);
  const Status reference = protocol::ReadThroughTree(body, snapshot->columns(), slow->input);
  if (reference.ok()) {
    PENSTOCK_CHECK(!problem.has_value());
    protocol::CheckSame(fast->input, slow->input);
  } else {
    PENSTOCK_CHECK(problem.has_value() || protocol::HasLongNumber(body));
  }
  return 0;
}
