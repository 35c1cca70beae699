// SPDX-License-Identifier: Apache-2.0
#include "os/cpu.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>

namespace penstock::os {
namespace {

namespace fs = std::filesystem;

std::string FirstLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

int Smaller(int a, int b) {
  if (a == 0 || b == 0) return std::max(a, b);
  return std::min(a, b);
}

int QuotaOfFolder(const fs::path& folder) {
  const int version_2 = CpusOfQuota(FirstLine(folder / "cpu.max"));
  if (version_2 > 0) return version_2;
  return CpusOfQuota(FirstLine(folder / "cpu.cfs_quota_us") + " " +
                     FirstLine(folder / "cpu.cfs_period_us"));
}

// A folder that is not there has no quota: inside a container the path may be the host's.
int QuotaUpTo(const fs::path& root, std::string_view path) {
  int cpus = QuotaOfFolder(root);
  fs::path folder = root;
  for (const fs::path& name : fs::path(path).relative_path()) {
    folder /= name;
    cpus = Smaller(cpus, QuotaOfFolder(folder));
  }
  return cpus;
}

bool Names(std::string_view controllers, std::string_view controller) {
  std::istringstream words{std::string(controllers)};
  for (std::string word; std::getline(words, word, ',');) {
    if (word == controller) return true;
  }
  return false;
}

int AffinityCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  // The mask of a machine of more than 1,024 CPUs does not fit.
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

int CpusOfQuota(std::string_view cpu_max) {
  std::istringstream words{std::string(cpu_max)};
  int64_t quota_us = 0;
  int64_t period_us = 0;
  if (!(words >> quota_us >> period_us) || quota_us <= 0 || period_us <= 0) return 0;
  return static_cast<int>((quota_us - 1) / period_us + 1);
}

int CgroupCpus(const fs::path& root, std::string_view membership) {
  int cpus = 0;
  std::istringstream lines{std::string(membership)};
  for (std::string line; std::getline(lines, line);) {
    // "0::/path" for version 2, "4:cpu,cpuacct:/path" for version 1 (cgroups(7)).
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) cpus = Smaller(cpus, QuotaUpTo(root, path));
    if (Names(controllers, "cpu")) {
      cpus = Smaller(cpus, QuotaUpTo(root / controllers, path));
      if (controllers != "cpu") cpus = Smaller(cpus, QuotaUpTo(root / "cpu", path));
    }
  }
  return cpus;
}

int AvailableCpus() {
  std::ifstream file("/proc/self/cgroup");
  const std::string membership{std::istreambuf_iterator<char>(file),
                               std::istreambuf_iterator<char>()};
  return Smaller(CgroupCpus("/sys/fs/cgroup", membership), AffinityCpus());
}

}  // namespace penstock::os
