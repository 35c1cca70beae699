// SPDX-License-Identifier: Apache-2.0
#include "sql/file_system_kind.h"

#include <sys/vfs.h>

#include <array>
#include <utility>

namespace penstock::sql {
namespace {

constexpr std::array<std::pair<uint32_t, std::string_view>, 10> kNetwork = {{
    {0x6969, "NFS"},
    {0x517B, "SMB"},
    {0xFF534D42, "CIFS"},
    {0xFE534D42, "SMB"},
    {0x65735546, "FUSE"},
    {0x01021997, "9P"},
    {0x00C36400, "Ceph"},
    {0x0BD00BD0, "Lustre"},
    {0x5346414F, "AFS"},
    {0x47504653, "GPFS"},
}};

}  // namespace

int64_t FileSystemMagic(const std::filesystem::path& path) {
  struct statfs status{};
  if (statfs(path.c_str(), &status) != 0) return 0;
  return static_cast<uint32_t>(status.f_type);
}

std::string_view NetworkFileSystemName(int64_t magic) {
  for (const auto& [candidate, name] : kNetwork) {
    if (candidate == magic) return name;
  }
  return "";
}

}  // namespace penstock::sql
