// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace penstock {

// The candidate nearest to name by Levenshtein distance, or "" when none is within a third of
// name's length (at least two edits): what an error suggests for a word that is not known.
std::string NearestName(std::string_view name, std::span<const std::string> candidates);

// " Did you mean 'x'?" or "".
std::string DidYouMean(std::string_view name, std::span<const std::string> candidates);

// "'a', 'b' and 'c'": at most names_max of them, then "and N more".
std::string QuotedList(std::span<const std::string> names, size_t names_max = 8);

}  // namespace penstock
