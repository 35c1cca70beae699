// SPDX-License-Identifier: Apache-2.0
#include "train/refusals.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "train/edges.h"
#include "train/search.h"

namespace penstock::train {
namespace {

using package::Type;

constexpr std::string_view kUnasked = "no probe asked the original about it";
// Numbers that an encoder takes for categories are the usual ones to be refused between others.
constexpr std::string_view kCategoriesRemedy =
    "; where these numbers are categories, cast the column to text before fitting, or let the "
    "encoder take what it does not know (handle_unknown='ignore')";
// From here on, what is refused in some columns is as well refused in all.
constexpr double kFar = 1e30;

bool IsNumberProbe(const Probe& probe) {
  return probe.kind == ProbeKind::kMagnitude || probe.kind == ProbeKind::kBound ||
         probe.kind == ProbeKind::kZero;
}

// Whether a signature can state that the original refuses such a value in one column.
bool IsAboutColumn(ProbeKind kind) {
  return kind != ProbeKind::kZeroRow && kind != ProbeKind::kFlag;
}

// Only the first row of what is likely to be refused: each refusal costs a call of its own.
struct Split {
  std::vector<Probe> first;
  std::vector<Probe> rest;
};

Split SplitByRow(std::span<const Probe> probes) {
  Split split;
  const Probe* previous = nullptr;
  for (const Probe& probe : probes) {
    const bool is_repeat = previous != nullptr && previous->kind == probe.kind &&
                           previous->column == probe.column && previous->cell == probe.cell;
    (is_repeat ? split.rest : split.first).push_back(probe);
    previous = &probe;
  }
  return split;
}

// Probes of one kind that differ in their column alone, or stand in the same place of its probes.
std::vector<std::vector<Probe>> GroupsOf(const package::Signature& signature,
                                         const std::vector<ColumnRange>& ranges,
                                         std::span<const Probe> probes) {
  std::map<std::tuple<ProbeKind, Type, bool, int>, std::vector<Probe>> groups;
  std::map<std::pair<ProbeKind, int>, int> places;
  for (const Probe& probe : probes) {
    const int place = places[{probe.kind, probe.column}]++;
    const bool is_row = probe.column < 0;
    const auto column = static_cast<size_t>(is_row ? 0 : probe.column);
    const bool is_in_data = (probe.kind == ProbeKind::kMissing && ranges[column].has_missing) ||
                            (probe.kind == ProbeKind::kInfinity && ranges[column].has_infinity);
    groups[{probe.kind, signature.inputs[column].type, is_in_data, place}].push_back(probe);
  }
  std::vector<std::vector<Probe>> sorted;
  for (auto& [key, group] : groups) sorted.push_back(std::move(group));
  // The smaller first: beyond a magnitude that is refused, none need be asked.
  std::ranges::stable_sort(sorted, {}, [](const std::vector<Probe>& group) {
    return std::pair(group[0].kind, MagnitudeOf(group[0]));
  });
  return sorted;
}

// What was learnt about one kind of value in one column.
struct Said {
  bool is_known = false;  // asked, or assumed
  bool is_asked = false;
  std::optional<std::string> refusal;  // why
};

// What was learnt about one column.
struct ColumnFindings {
  Said missing;
  Said infinity;
  Said categories;
  Said magnitude;
  bool is_known_told = false;  // what strings it knows; of them those not in the rows:
  std::set<std::string> known;
  double refused_min = 0;  // smallest magnitude refused; 0: none
  double accepted_max = 0;
  double tried_max = 0;
};

class Finder {
 public:
  Finder(const package::Signature& signature, const Columns& rows,
         const std::vector<ColumnRange>& ranges, Questions& questions)
      : rows_(rows), ranges_(ranges), questions_(questions), columns_(ranges.size()) {
    found_.signature = signature;
  }

  Result<Findings> Find(std::span<const Probe> probes,
                        std::span<const std::vector<std::string>> known_strings) {
    PENSTOCK_TRY(AskAll(probes));
    for (size_t column = 0; column < known_strings.size(); ++column) {
      if (columns_[column].categories.refusal)
        PENSTOCK_TRY(AskKnown(static_cast<int>(column), known_strings[column]));
    }
    PENSTOCK_TRY(FindEdges());
    for (size_t column = 0; column < columns_.size(); ++column) Publish(static_cast<int>(column));
    return std::move(found_);
  }

 private:
  Status AskAll(std::span<const Probe> probes) {
    Split split = SplitByRow(probes);
    const std::vector<std::vector<Probe>> groups = GroupsOf(found_.signature, ranges_, split.first);
    for (size_t begin = 0; begin < groups.size();) {
      size_t end = begin;
      while (end < groups.size() && groups[end][0].kind == groups[begin][0].kind) ++end;
      PENSTOCK_TRY(AskKind(std::span(groups).subspan(begin, end - begin)));
      begin = end;
    }
    std::erase_if(split.rest, [&](const Probe& probe) { return IsCovered(probe); });
    return AskPlainly(split.rest);
  }

  // All groups in one call where the original lets us, else one after the other.
  Status AskKind(std::span<const std::vector<Probe>> groups) {
    std::vector<Probe> all;
    for (const std::vector<Probe>& group : groups)
      all.insert(all.end(), group.begin(), group.end());
    std::vector<Reply> replies(all.size());
    if (all.size() <= questions_.rows_per_call() &&
        PENSTOCK_TRY(questions_.AskTogether(all, replies))) {
      Take(all, replies);
      return {};
    }
    for (const std::vector<Probe>& group : groups) PENSTOCK_TRY(AskGroup(group));
    return {};
  }

  Status AskGroup(std::vector<Probe> group) {
    std::erase_if(group, [&](const Probe& probe) { return IsCovered(probe); });
    for (size_t begin = 0; begin < group.size();) {
      const size_t size = std::min(questions_.rows_per_call(), group.size() - begin);
      PENSTOCK_TRY(AskAlike(std::span(group).subspan(begin, size)));
      begin += size;
    }
    return {};
  }

  Status AskAlike(std::span<const Probe> probes) {
    const ProbeKind kind = probes[0].kind;
    const bool can_assume = kind == ProbeKind::kMissing || kind == ProbeKind::kInfinity ||
                            kind == ProbeKind::kMagnitude;
    if (!can_assume || probes.size() <= kColumnsAskedSingly) return AskPlainly(probes);
    std::vector<Reply> replies(probes.size());
    if (!PENSTOCK_TRY(questions_.AskTogether(probes, replies))) return AskSome(probes);
    Take(probes, replies);
    return {};
  }

  Status AskPlainly(std::span<const Probe> probes) {
    Take(probes, PENSTOCK_TRY(questions_.Ask(probes)));
    return {};
  }

  // Asks an even sample of the probes one by one, and the others only where it leaves doubt.
  Status AskSome(std::span<const Probe> probes) {
    const std::vector<bool> is_chosen = EvenPlaces(kColumnsAskedSingly, probes.size());
    std::vector<Probe> others;
    std::set<std::string> reasons;
    bool are_all_refused = true;
    for (size_t i = 0; i < probes.size(); ++i) {
      if (!is_chosen[i]) {
        others.push_back(probes[i]);
        continue;
      }
      const std::vector<Reply> reply = PENSTOCK_TRY(questions_.Ask(probes.subspan(i, 1)));
      Take(probes.subspan(i, 1), reply);
      if (reply[0].is_refused) reasons.insert(reply[0].reason);
      are_all_refused = are_all_refused && reply[0].is_refused;
    }
    if (are_all_refused && reasons.size() == 1) {
      Assume(others, *reasons.begin());
      return {};
    }
    const auto near = std::ranges::stable_partition(
        others, [&](const Probe& probe) { return !reasons.empty() && IsFar(probe); });
    Assume(std::span(others.begin(), near.begin()), reasons.empty() ? "" : *reasons.begin());
    return AskPlainly(near);
  }

  // Beyond any number that is meant, and beyond what the rows and the probes before it say.
  bool IsFar(const Probe& probe) const {
    const auto column = static_cast<size_t>(probe.column);
    if (probe.kind == ProbeKind::kInfinity) return !ranges_[column].has_infinity;
    return probe.kind == ProbeKind::kMagnitude && MagnitudeOf(probe) >= kFar &&
           MagnitudeOf(probe) > columns_[column].accepted_max;
  }

  void Assume(std::span<const Probe> probes, const std::string& reason) {
    for (const Probe& probe : probes) Note(probe, {.is_refused = true, .reason = reason});
    found_.assumed += static_cast<int64_t>(probes.size());
  }

  // A model may know strings that no row here has.
  Status AskKnown(int index, std::span<const std::string> known) {
    ColumnFindings& column = columns_[static_cast<size_t>(index)];
    column.is_known_told = !known.empty();
    const std::set<std::string> seen = SeenIn(index);
    std::vector<Probe> probes;
    for (const std::string& text : known) {
      if (seen.contains(text)) continue;
      const auto row = static_cast<int64_t>(probes.size()) % rows_.rows();
      probes.push_back({.kind = ProbeKind::kCategory, .column = index, .row = row, .cell = text});
    }
    const size_t room = kProbesMax - std::min<size_t>(kProbesMax, found_.probes.size());
    if (probes.size() > room) {
      found_.unasked += static_cast<int64_t>(probes.size() - room);
      probes.resize(room);
    }
    const size_t before = found_.probes.size();
    PENSTOCK_TRY(AskPlainly(probes));
    for (size_t i = before; i < found_.probes.size(); ++i) {
      if (!found_.replies[i].is_refused)
        column.known.insert(std::get<std::string>(found_.probes[i].cell));
    }
    return {};
  }

  std::set<std::string> SeenIn(int index) const {
    const Strings& strings = std::get<Strings>(rows_.column(index));
    std::set<std::string> seen;
    for (int64_t row = 0; row < rows_.rows() && seen.size() <= kCategoriesMax; ++row) {
      if (!IsMissing(rows_.At(row, index))) seen.insert(strings.values[static_cast<size_t>(row)]);
    }
    return seen;
  }

  // Whether the signature will refuse it, whatever the original says.
  bool IsCovered(const Probe& probe) const {
    if (probe.column < 0) return false;
    const ColumnFindings& column = columns_[static_cast<size_t>(probe.column)];
    switch (probe.kind) {
      case ProbeKind::kMissing:
        return column.missing.refusal.has_value();
      case ProbeKind::kInfinity:
        return column.infinity.refusal.has_value();
      case ProbeKind::kCategory:
        return column.categories.refusal.has_value();
      case ProbeKind::kMagnitude:
        return column.refused_min > 0 && MagnitudeOf(probe) >= column.refused_min;
      default:
        return false;
    }
  }

  void Take(std::span<const Probe> probes, std::vector<Reply> replies) {
    for (size_t i = 0; i < probes.size(); ++i) {
      if (!replies[i].is_asked) {
        ++found_.unasked;
        continue;
      }
      Note(probes[i], replies[i]);
      found_.probes.push_back(probes[i]);
      found_.replies.push_back(std::move(replies[i]));
    }
  }

  void Note(const Probe& probe, const Reply& reply) {
    if (probe.column < 0 || !IsAboutColumn(probe.kind)) {
      if (reply.is_refused) CannotSay(probe, reply.reason);
      return;
    }
    const auto index = static_cast<size_t>(probe.column);
    ColumnFindings& column = columns_[index];
    if (IsNumberProbe(probe)) return NoteNumber(probe, reply);
    const bool is_in_data = (probe.kind == ProbeKind::kMissing && ranges_[index].has_missing) ||
                            (probe.kind == ProbeKind::kInfinity && ranges_[index].has_infinity);
    if (reply.is_refused && is_in_data) return CannotSay(probe, reply.reason);
    Said& said = probe.kind == ProbeKind::kMissing    ? column.missing
                 : probe.kind == ProbeKind::kInfinity ? column.infinity
                                                      : column.categories;
    said.is_known = true;
    said.is_asked = reply.is_asked;
    // The first one: what the original says of other strings names those.
    if (reply.is_refused && !said.refusal) {
      said.refusal = probe.kind == ProbeKind::kCategory
                         ? fmt::format("to {}: {}", ToText(probe.cell), reply.reason)
                         : reply.reason;
    }
  }

  void NoteNumber(const Probe& probe, const Reply& reply) {
    const auto index = static_cast<size_t>(probe.column);
    ColumnFindings& column = columns_[index];
    const double magnitude = MagnitudeOf(probe);
    column.tried_max = std::max(column.tried_max, magnitude);
    if (!reply.is_refused) {
      column.accepted_max = std::max(column.accepted_max, magnitude);
    } else if (magnitude <= ranges_[index].abs_max) {
      CannotSay(probe, reply.reason);
    } else if (column.refused_min == 0 || magnitude < column.refused_min) {
      column.refused_min = magnitude;
      column.magnitude = {.is_known = true, .is_asked = reply.is_asked, .refusal = reply.reason};
    }
  }

  void CannotSay(const Probe& probe, const std::string& reason) {
    if (!found_.inexpressible.empty()) return;
    found_.inexpressible = fmt::format(
        "the model refuses {} in row {} ({}) but answers rows that a native form cannot "
        "tell from it{}",
        ToText(found_.signature, probe), probe.row, reason,
        IsNumberProbe(probe) ? kCategoriesRemedy : "");
  }

  Status FindEdges() {
    std::vector<Search> searches;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const ColumnFindings& column = columns_[i];
      if (column.refused_min == 0) continue;
      const double low = column.accepted_max < column.refused_min ? column.accepted_max : 0;
      searches.push_back({.column = static_cast<int>(i),
                          .type = found_.signature.inputs[i].type,
                          .low = std::max(low, ranges_[i].abs_max),
                          .high = column.refused_min});
    }
    PENSTOCK_TRY(train::FindEdges(rows_, questions_, searches));
    for (const Search& search : searches) PublishEdge(search);
    return {};
  }

  void PublishEdge(const Search& search) {
    const Said& said = columns_[static_cast<size_t>(search.column)].magnitude;
    const std::string_view what =
        said.is_asked ? "the original refuses it" : "the original refuses as much in such columns";
    found_.signature.inputs[static_cast<size_t>(search.column)].abs_max =
        package::Bound{.value = search.low,
                       .refused_by_original = true,
                       .reason = fmt::format("{} ({})", what, *said.refusal)};
  }

  void Publish(int index) {
    package::Input& input = found_.signature.inputs[static_cast<size_t>(index)];
    const ColumnRange& range = ranges_[static_cast<size_t>(index)];
    ColumnFindings& column = columns_[static_cast<size_t>(index)];
    // What the rows hold was answered, whether a probe asked about it too or not.
    if (!column.missing.is_known && !range.has_missing) column.missing.refusal = kUnasked;
    const bool is_float = input.type == Type::kFloat64 || input.type == Type::kFloat32;
    if (is_float && !column.infinity.is_known && !range.has_infinity)
      column.infinity.refusal = kUnasked;
    if (input.type == Type::kString && !column.categories.is_known)
      column.categories.refusal = kUnasked;
    input.allows_missing = !column.missing.refusal;
    if (column.missing.refusal) {
      const std::string_view who = column.missing.is_asked   ? "the original: "
                                   : column.missing.is_known ? "the original, of such columns: "
                                                             : "";
      input.missing_reason = fmt::format("{}{}", who, *column.missing.refusal);
    }
    input.allows_infinity = !column.infinity.refusal && is_float;
    if (column.missing.refusal) Add(input, "missing", column.missing);
    if (column.infinity.refusal) Add(input, "infinity", column.infinity);
    if (is_float || input.type == Type::kInt64) PublishMagnitude(index);
    if (column.categories.refusal) PublishCategories(index);
  }

  void PublishMagnitude(int index) {
    package::Input& input = found_.signature.inputs[static_cast<size_t>(index)];
    ColumnFindings& column = columns_[static_cast<size_t>(index)];
    if (column.refused_min == 0) {
      if (column.tried_max >= MagnitudeMax(input.type)) return;
      input.abs_max = package::Bound{
          .value = std::max(column.accepted_max, ranges_[static_cast<size_t>(index)].abs_max),
          .refused_by_original = false,
          .reason = "no probe asked the original about larger numbers"};
      column.magnitude.refusal = input.abs_max->reason;
    }
    Add(input, "abs_max", column.magnitude, input.abs_max->value);
  }

  void PublishCategories(int index) {
    package::Input& input = found_.signature.inputs[static_cast<size_t>(index)];
    const Said& said = columns_[static_cast<size_t>(index)].categories;
    const std::string& reason = *said.refusal;
    Add(input, "categories", said);
    std::set<std::string> answered = SeenIn(index);
    const ColumnFindings& column = columns_[static_cast<size_t>(index)];
    answered.insert(column.known.begin(), column.known.end());
    if (answered.size() > kCategoriesMax) {
      found_.inexpressible = fmt::format(
          "the model refuses strings of column '{}' that it does not know ({}), and "
          "knows more than {}",
          input.name, reason, kCategoriesMax);
      return;
    }
    input.categories.assign(answered.begin(), answered.end());
    input.categories_reason = fmt::format(
        "{} ({})",
        column.is_known_told
            ? "the original refuses what it does not know"
            : "it is not among the values that the model was checked on, and the original refuses "
              "what it does not know",
        reason);
  }

  void Add(const package::Input& input, std::string kind, const Said& said, double abs_max = 0) {
    found_.refusals.push_back({.column = input.name,
                               .kind = std::move(kind),
                               .abs_max = abs_max,
                               .reason = *said.refusal,
                               .is_asked = said.is_asked});
  }

  const Columns& rows_;
  const std::vector<ColumnRange>& ranges_;
  Questions& questions_;
  std::vector<ColumnFindings> columns_;
  Findings found_;
};

}  // namespace

Result<Findings> FindRefusals(const package::Signature& signature, const Columns& rows,
                              const std::vector<ColumnRange>& ranges, std::span<const Probe> probes,
                              std::span<const std::vector<std::string>> known_strings,
                              Questions& questions) {
  return Finder(signature, rows, ranges, questions).Find(probes, known_strings);
}

}  // namespace penstock::train
