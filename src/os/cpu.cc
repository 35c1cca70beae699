// SPDX-License-Identifier: Apache-2.0
#include "os/cpu.h"

#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace penstock::os {
namespace {

std::string FirstLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

int CgroupCpus() {
  const int cpus = CpusOfQuota(FirstLine("/sys/fs/cgroup/cpu.max"));
  if (cpus > 0) return cpus;
  return CpusOfQuota(FirstLine("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") + " " +
                     FirstLine("/sys/fs/cgroup/cpu/cpu.cfs_period_us"));
}

int AffinityCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

}  // namespace

int CpusOfQuota(std::string_view cpu_max) {
  std::istringstream words{std::string(cpu_max)};
  int64_t quota_us = 0;
  int64_t period_us = 0;
  if (!(words >> quota_us >> period_us) || quota_us <= 0 || period_us <= 0) return 0;
  return static_cast<int>((quota_us + period_us - 1) / period_us);
}

int AvailableCpus() {
  const int quota = CgroupCpus();
  return quota > 0 ? std::min(quota, AffinityCpus()) : AffinityCpus();
}

}  // namespace penstock::os
