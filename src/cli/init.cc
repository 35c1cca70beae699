// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "cli/commands.h"
#include "cli/templates.h"
#include "os/file_system.h"

namespace penstock::cli {
namespace {

constexpr std::string_view kPlaceholder = "{{name}}";

std::string Filled(std::string_view text, std::string_view name) {
  std::string filled(text);
  for (size_t at = filled.find(kPlaceholder); at != filled.npos;
       at = filled.find(kPlaceholder, at + name.size())) {
    filled.replace(at, kPlaceholder.size(), name);
  }
  return filled;
}

// "gitignore" stands in this repository without its dot, so that it does not act here.
std::string FileName(std::string_view name) {
  return name == "gitignore" ? ".gitignore" : std::string(name);
}

}  // namespace

Status Init(const InitCommand& command, Terminal& terminal) {
  // "." and "shop/" have a name too.
  std::filesystem::path folder = std::filesystem::absolute(command.folder).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  const std::string name = folder.filename().string();
  if (const Status named = registry::CheckModelName(name); !named.ok())
    return named.Prefixed("the folder's name is the model's too");
  os::FileSystem& files = os::FileSystem::System();
  for (const std::string_view file : kTemplatesNames) {
    const std::string there = FileName(file);
    if (!files.Exists(folder / there)) continue;
    return AlreadyExists(fmt::format(
        "'{}' has a file '{}' already, which would be lost; name a folder that is new or empty",
        command.folder, there));
  }
  PENSTOCK_TRY(files.CreateDirectories(folder));
  std::string made;
  for (size_t i = 0; i < std::size(kTemplates); ++i) {
    const std::string file = FileName(kTemplatesNames[i]);
    PENSTOCK_TRY(files.Write(folder / file, Filled(kTemplates[i], name)));
    made += "  " + file + "\n";
  }
  terminal.Out(fmt::format("made in '{}':\n{}next: go there, and do what README.md says\n",
                           folder.string(), made));
  return {};
}

}  // namespace penstock::cli
