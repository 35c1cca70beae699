// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/engine.h"
#include "json/value.h"
#include "package/package.h"
#include "train/original.h"
#include "train/rows.h"

// Parity: does a native form of a model answer what the model itself answers?
// docs/internals/parity.md says what is compared, how, and how the report reads.
namespace penstock::train {

inline constexpr int64_t kParityRowsMax = 100'000;
inline constexpr int64_t kWorstRowsMax = 10;
// A native form of which this share of the rows may differ at most (by the 95 % bound), and that
// differs on at most this share of the probes, is kept beside the original: somebody may accept it.
inline constexpr double kOfferedShareMax = 0.05;

// A native form on trial.
struct Candidate {
  package::EngineEntry entry;
  std::string bytes;  // of entry.file
};

// Two numbers agree when they are nearer than absolute x scale + relative x the larger. The scale
// of a probability is 1; that of an output is the largest number the original gives for it, or 1 at
// most unless `grows`.
struct Tolerance {
  double relative = 0;
  double absolute = 0;
  bool grows = false;
};

inline constexpr Tolerance kFloat64Tolerance{.relative = 1e-9, .absolute = 1e-12, .grows = true};
inline constexpr Tolerance kFloat32Tolerance{.relative = 1e-5, .absolute = 1e-6};

struct ParityOptions {
  // Makes an engine of a candidate's bytes; empty: engine::LoadBytes.
  std::function<Result<std::unique_ptr<engine::Model>>(
      const package::Signature&, const package::EngineEntry&, std::string_view)>
      load;
  // Asked often (every few milliseconds of native work, between calls of the original); an error
  // ends the check.
  std::function<Status()> poll;
  // By column, strings that the model may know beyond those of the rows; may be empty. Where it
  // refuses others it is asked about these.
  std::vector<std::vector<std::string>> known_strings;
  uint64_t seed = 0;
  // For each batch size beyond the first: rows that would take longer are sampled evenly, and the
  // report says so.
  double seconds_per_pass_max = 60;
  // For the probes, and again for each candidate's search for its limits: what there is no time for
  // is not asked, the service refuses what only that could have allowed, and the report says so.
  double seconds_of_probes_max = 60;
  const Clock* clock = &Clock::System();
};

// One pass over rows: how many went in at a time, in which order.
struct Pass {
  int64_t rows_per_call = 0;
  bool is_shuffled = false;
  int64_t rows = 0;
  int64_t differing = 0;
};

// A row or a probe on which the two differ, or which one of them refused.
struct Difference {
  int64_t row = 0;       // of the rows given
  std::string probe;     // "" for a row itself; else what was changed: "age = 1e+39"
  json::Value inputs;    // a record
  json::Value original;  // {"prediction", "probabilities"?} or {"refused": reason}
  json::Value native;
  double absolute = 0;  // the largest over what the answer contains; labels that differ count 1
  double relative = 0;
  std::string text;  // the two in a few words, the original first: "0.31 against 0.39"
};

// What an engine cannot vouch for: the server answers 422 there.
struct Limit {
  std::string column;
  std::string kind;    // "missing", "infinity", "abs_max", "categories"
  double abs_max = 0;  // for "abs_max": answered up to here
  std::string reason;
};

struct CandidateReport {
  package::EngineEntry entry;
  bool passed = false;
  bool is_offered = false;  // not passed, and kept: kOfferedShareMax
  std::string reason;       // one sentence: what differs, or what was checked
  Tolerance tolerance;
  std::vector<Pass> passes;
  int64_t differing_rows = 0;           // distinct rows that differ in some pass
  double differing_share_upper_95 = 1;  // of all such rows, by Clopper and Pearson, one-sided
  double absolute_max = 0;
  double relative_max = 0;
  std::vector<Difference> worst;  // of the rows
  int64_t probes_agreed = 0;
  int64_t probes_limited = 0;  // differ far outside the data: became limits
  int64_t probes_differing = 0;
  std::vector<Difference> worst_probes;
  std::vector<Limit> limits;
  int64_t row_ns = 0;            // median of one-row calls
  package::Signature signature;  // the one to publish with this engine
};

// What the original itself refuses: the service refuses it too.
struct Refusal {
  std::string column;
  std::string kind;  // as Limit::kind
  double abs_max = 0;
  std::string reason;    // "ValueError: Input X contains NaN."
  bool is_asked = true;  // false: other columns were, or none was
};

struct ParityReport {
  int64_t rows_given = 0;
  int64_t rows = 0;  // checked; evenly sampled when more than kParityRowsMax were given
  int64_t probes = 0;
  int64_t probes_refused = 0;  // by the original
  int64_t probes_assumed = 0;  // not asked: taken as refused, because others like them were
  int64_t probes_unasked = 0;  // not asked: there was no time, or more than kProbesMax
  uint64_t seed = 0;
  int64_t original_row_ns = 0;
  std::vector<Refusal> refusals;
  std::vector<CandidateReport> candidates;  // in order, up to the one that passed
  std::optional<size_t> chosen;             // index into candidates
  package::Signature
      signature;  // the chosen one's; the original's refusals alone when there is none

  json::Value ToJson() const;  // docs/internals/parity.md
};

// Holds the candidates, in order, against the original on `rows` and on probes, until one passes.
// Errors are those of the original on the rows themselves (with its exception), of poll, and
// kInvalidArgument when the original's answers do not fit the signature; a candidate that cannot be
// loaded or fails is reported, not an error.
Result<ParityReport> CheckParity(const package::Signature& signature,
                                 const std::vector<Candidate>& candidates, const Columns& rows,
                                 Original& original, const ParityOptions& options = {});

// The share p for which `differing` or fewer of `rows` differ with 5 % probability: the upper end
// of the one-sided 95 % interval of Clopper and Pearson (1934). 0 of n gives 1 - 0.05^(1/n).
double DifferingShareUpper95(int64_t differing, int64_t rows);

}  // namespace penstock::train
