// SPDX-License-Identifier: Apache-2.0
#include "observe/process_metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>

namespace penstock::observe {
namespace {

std::string ReadProcFile(const char* path) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::array<char, 4096> buffer;
  const ssize_t size = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  return size > 0 ? std::string(buffer.data(), static_cast<size_t>(size)) : std::string();
}

// Field `number` of /proc/self/stat, counted from 1 as in proc(5).
double StatField(int number) {
  const std::string stat = ReadProcFile("/proc/self/stat");
  // Field 2, the program's name, is in parentheses and may hold spaces.
  size_t at = stat.rfind(')');
  for (int field = 2; field < number && at != std::string::npos; ++field)
    at = stat.find(' ', at + 1);
  return at == std::string::npos ? 0 : std::strtod(stat.c_str() + at + 1, nullptr);
}

double TicksPerSecond() { return static_cast<double>(::sysconf(_SC_CLK_TCK)); }

double StartTimeSeconds() {
  timespec now = {};
  timespec since_boot = {};
  clock_gettime(CLOCK_REALTIME, &now);
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const auto seconds = [](const timespec& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  };
  return seconds(now) - seconds(since_boot) + StatField(22) / TicksPerSecond();
}

double OpenFileDescriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  double count = -3;  // without ".", ".." and the directory itself
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

double FileDescriptorsMax() {
  rlimit limit = {};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : 0;
}

}  // namespace

void AddProcessMetrics(Metrics& metrics) {
  metrics.AddCounterReading("process_cpu_seconds_total", "User and system CPU time.", {},
                            [] { return (StatField(14) + StatField(15)) / TicksPerSecond(); });
  metrics.AddGauge("process_open_fds", "Open file descriptors.", {}, OpenFileDescriptors);
  metrics.AddGauge("process_max_fds", "Most file descriptors that may be open.", {},
                   FileDescriptorsMax);
  metrics.AddGauge("process_virtual_memory_bytes", "Virtual memory.", {},
                   [] { return StatField(23); });
  metrics.AddGauge("process_resident_memory_bytes", "Resident memory.", {},
                   [] { return StatField(24) * static_cast<double>(::sysconf(_SC_PAGESIZE)); });
  metrics.AddGauge("process_start_time_seconds", "When the process started, in seconds since 1970.",
                   {}, [start = StartTimeSeconds()] { return start; });
  metrics.AddGauge("process_threads", "Threads.", {}, [] { return StatField(20); });
}

}  // namespace penstock::observe
