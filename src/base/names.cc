// SPDX-License-Identifier: Apache-2.0
#include "base/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/utf8.h"

namespace penstock {
namespace {

// Or some number from `enough` on when it is that or more.
size_t EditDistance(std::string_view a, std::string_view b, size_t enough) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) >= enough) return enough;
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    size_t least = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
      least = std::min(least, row[j]);
    }
    if (least >= enough) return least;
  }
  return row[b.size()];
}

}  // namespace

std::string ShownName(std::string_view name) {
  if (name.size() <= kShownNameBytesMax) return std::string(name);
  return fmt::format("{}...", CutUtf8(name, kShownNameBytesMax));
}

std::string NearestName(std::string_view name, std::span<const std::string> candidates) {
  if (name.size() > kShownNameBytesMax) return "";
  const size_t edits_max = std::max<size_t>(2, name.size() / 3);
  std::string nearest;
  size_t best = edits_max + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(name, candidate, best);
    if (distance < best && distance < candidate.size()) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string DidYouMean(std::string_view name, std::span<const std::string> candidates) {
  const std::string nearest = NearestName(name, candidates);
  return nearest.empty() ? "" : fmt::format(" Did you mean '{}'?", nearest);
}

std::string QuotedList(std::span<const std::string> names, size_t names_max) {
  const size_t shown = std::min(names.size(), names_max);
  std::string list;
  for (size_t i = 0; i < shown; ++i) {
    if (i > 0) list += (i + 1 == names.size()) ? " and " : ", ";
    list += fmt::format("'{}'", names[i]);
  }
  if (shown < names.size()) list += fmt::format(" and {} more", names.size() - shown);
  return list;
}

}  // namespace penstock
