// SPDX-License-Identifier: Apache-2.0
#include "train/accept.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/count.h"
#include "base/digest.h"
#include "train/native_form.h"

namespace penstock::train {
namespace {

// Of the candidate that is offered, in parity.json.
struct Offer {
  int64_t differing = 0;
  int64_t rows = 0;
  int64_t probes_differing = 0;
  int64_t probes = 0;
  double upper_95 = 1;
};

Result<Offer> OfferOf(const json::Value& report) {
  for (const json::Value& candidate : PENSTOCK_TRY(report.List("candidates"))) {
    const json::Value* offered = candidate.Find("offered");
    if (offered == nullptr || *offered != json::Value(true)) continue;
    const json::Value probes = PENSTOCK_TRY(candidate.Member("probes"));
    const double upper = PENSTOCK_TRY(candidate.Number("differing_share_upper_95"));
    if (!(upper >= 0 && upper <= 1)) return DataLoss("parity.json has a share that is none");
    return Offer{.differing = PENSTOCK_TRY(candidate.Int("differing_rows")),
                 .rows = PENSTOCK_TRY(report.Int("rows")),
                 .probes_differing = PENSTOCK_TRY(probes.Int("differing")),
                 .probes = PENSTOCK_TRY(report.Int("probes")),
                 .upper_95 = upper};
  }
  return DataLoss("parity.json does not name the form that is offered");
}

Status CheckAcceptance(const Acceptance& acceptance) {
  if (!(acceptance.share_max > 0 && acceptance.share_max <= kOfferedShareMax)) {
    return InvalidArgument(
        fmt::format("the share is {}; more than 0 and at most {} was expected, as 0.001 for one "
                    "row in a thousand",
                    acceptance.share_max, kOfferedShareMax));
  }
  if (acceptance.because.empty() || acceptance.because.size() > kBecauseBytesMax) {
    return InvalidArgument(
        fmt::format("the reason has {} bytes; 1 to {} were expected: whoever looks at the version "
                    "later should know why rows may differ",
                    acceptance.because.size(), kBecauseBytesMax));
  }
  return {};
}

bool HasFile(const package::Package& package, std::string_view path) {
  return std::ranges::any_of(package.manifest().files,
                             [&](const package::FileEntry& file) { return file.path == path; });
}

// As a share that --share takes: rounded up to two digits that count.
double RoundedUp(double share) {
  double unit = 1;
  while (share < 10 * unit) unit /= 10;
  double rounded = 0;
  while (rounded < share) rounded += unit;
  return rounded;
}

Status CheckShare(const Offer& offer, const Acceptance& acceptance) {
  if (offer.upper_95 <= acceptance.share_max) return {};
  const std::string told =
      fmt::format("{} of {} rows differ, so up to {:.2g} of all such rows may (95 %)",
                  CountText(offer.differing), CountText(offer.rows), offer.upper_95);
  return FailedPrecondition(fmt::format(
      "{}; that is more than {}: look at the rows that differ (penstock parity show {}), "
      "register with more rows if these are few, or accept --share {:.2g}",
      told, acceptance.share_max, acceptance.origin, RoundedUp(offer.upper_95)));
}

}  // namespace

void KeepOffered(const CandidateReport& report, const std::string& bytes, package::Draft& draft) {
  package::Manifest offered = draft.manifest;
  offered.signature = report.signature;
  offered.engines.insert(offered.engines.begin(), report.entry);
  draft.contents.emplace_back(report.entry.file, bytes);
  for (const package::EngineEntry& engine : offered.engines) {
    const auto file =
        std::ranges::find(draft.contents, engine.file, &std::pair<std::string, std::string>::first);
    offered.files.push_back({.path = engine.file,
                             .size = static_cast<int64_t>(file->second.size()),
                             .sha256 = Sha256Hex(file->second)});
  }
  std::ranges::sort(offered.files, {}, &package::FileEntry::path);
  draft.contents.emplace_back(kOfferedFile, json::WritePretty(offered.ToJson()));
}

Result<package::Draft> Accept(const package::Package& package, const Acceptance& acceptance,
                              json::Value& accepted) {
  PENSTOCK_TRY(CheckAcceptance(acceptance));
  if (!HasFile(package, kOfferedFile)) {
    const bool is_native = package.manifest().engines.front().kind != package::EngineKind::kPython;
    return FailedPrecondition(fmt::format(
        "{} offers no native form to accept: {}", acceptance.origin,
        is_native ? "it is native already"
                  : fmt::format("only one that differs on at most {} of the rows, and of the "
                                "probes, is offered; {}",
                                kOfferedShareMax, package.manifest().engine_reason)));
  }
  const json::Value report = PENSTOCK_TRY(json::Parse(PENSTOCK_TRY(package.Read("parity.json"))));
  const Offer offer = PENSTOCK_TRY(OfferOf(report));
  PENSTOCK_TRY(CheckShare(offer, acceptance));

  package::Draft draft;
  draft.manifest = PENSTOCK_TRY(package::Manifest::FromJson(
      PENSTOCK_TRY(json::Parse(PENSTOCK_TRY(package.Read(kOfferedFile))))));
  draft.manifest.engine_reason =
      fmt::format("{}, though {} of {} rows and {} of {} probes differ; accepted by {} in {}: {}.",
                  EngineText(draft.manifest.engines.front()), CountText(offer.differing),
                  CountText(offer.rows), CountText(offer.probes_differing), CountText(offer.probes),
                  acceptance.actor, acceptance.origin, acceptance.because);
  accepted = json::Object{{"from", acceptance.origin},
                          {"share_max", acceptance.share_max},
                          {"because", acceptance.because},
                          {"actor", acceptance.actor},
                          {"at_us", acceptance.at_us},
                          {"rows", offer.rows},
                          {"differing_rows", offer.differing},
                          {"differing_share_upper_95", offer.upper_95},
                          {"probes", offer.probes},
                          {"differing_probes", offer.probes_differing}};
  for (const package::FileEntry& file : package.manifest().files) {
    if (file.path != kOfferedFile)
      draft.contents.emplace_back(file.path, PENSTOCK_TRY(package.Read(file.path)));
  }
  draft.contents.emplace_back(kAcceptedFile, json::WritePretty(accepted));
  return draft;
}

}  // namespace penstock::train
