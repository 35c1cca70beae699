// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>

namespace penstock::os {

// CPUs that this process may use, at least 1: the smaller of its affinity mask and the quotas of
// its cgroup and the cgroups above it, rounded up.
int AvailableCpus();

// The CPUs of a cgroup v2 cpu.max line such as "150000 100000" (2), or 0 for "max ..." and what is
// not understood.
int CpusOfQuota(std::string_view cpu_max);

// The smallest quota in CPUs on the way from the cgroup that `membership` (the text of
// /proc/self/cgroup) names up to `root` (/sys/fs/cgroup), by version 2 (cpu.max) and version 1
// (cpu.cfs_quota_us); 0 where there is none.
int CgroupCpus(const std::filesystem::path& root, std::string_view membership);

}  // namespace penstock::os
