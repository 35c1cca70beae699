// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace penstock {

// What a message shows of a name that a client made up.
inline constexpr size_t kShownNameBytesMax = 200;

// name, cut to kShownNameBytesMax bytes and "..." where it is longer.
std::string ShownName(std::string_view name);

// The candidate nearest to name by Levenshtein distance, or "" when none is within a third of
// name's length (at least two edits), or name is longer than kShownNameBytesMax: what an error
// suggests for a word that is not known.
std::string NearestName(std::string_view name, std::span<const std::string> candidates);

// " Did you mean 'x'?" or "".
std::string DidYouMean(std::string_view name, std::span<const std::string> candidates);

// "'a', 'b' and 'c'": at most names_max of them, then "and N more".
std::string QuotedList(std::span<const std::string> names, size_t names_max = 8);

}  // namespace penstock
