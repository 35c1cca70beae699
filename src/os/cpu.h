// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "os/file_system.h"

namespace penstock::os {

// CPUs that this process may use, at least 1: the smaller of its affinity mask and its cgroup's quota (version 2
// cpu.max, else version 1 cpu.cfs_quota_us), rounded up.
int AvailableCpus();

// The CPUs of a cgroup v2 cpu.max line such as "150000 100000" (2), or 0 for "max ..." and what is not understood.
int CpusOfQuota(std::string_view cpu_max);

}  // namespace penstock::os
