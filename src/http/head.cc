// SPDX-License-Identifier: Apache-2.0
#include "http/head.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>

#include "http/response.h"

namespace penstock::http {
namespace {

char* Prepend(char* end, std::string_view text) {
  std::memcpy(end - text.size(), text.data(), text.size());
  return end - text.size();
}

char* PrependNumber(char* end, size_t number) {
  std::array<char, 20> digits;
  const auto [last, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  return Prepend(end, {digits.data(), static_cast<size_t>(last - digits.data())});
}

}  // namespace

std::string_view DateLine::At(int64_t unix_s) {
  if (unix_s != unix_s_) {
    constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t time = unix_s;
    std::tm parts{};
    gmtime_r(&time, &parts);
    const std::string_view day = kDays[static_cast<size_t>(parts.tm_wday)];
    const std::string_view month = kMonths[static_cast<size_t>(parts.tm_mon)];
    char* out = text_.data();
    const auto append = [&out](std::string_view text) {
      out = std::copy(text.begin(), text.end(), out);
    };
    const auto append_two = [&out](int number) {
      *out++ = static_cast<char>('0' + number / 10 % 10);
      *out++ = static_cast<char>('0' + number % 10);
    };
    append("Date: ");
    append(day);
    append(", ");
    append_two(parts.tm_mday);
    append(" ");
    append(month);
    append(" ");
    append_two((parts.tm_year + 1900) / 100);
    append_two(parts.tm_year % 100);
    append(" ");
    append_two(parts.tm_hour);
    append(":");
    append_two(parts.tm_min);
    append(":");
    append_two(parts.tm_sec);
    append(" GMT\r\n");
    size_ = static_cast<size_t>(out - text_.data());
    unix_s_ = unix_s;
  }
  return {text_.data(), size_};
}

char* WriteLateHead(char* end, const LateHead& head, std::string_view date_line) {
  if (!head.keep_alive) {
    end = Prepend(end, "Connection: close\r\n");
  } else if (head.minor_version == 0) {
    end = Prepend(end, "Connection: keep-alive\r\n");
  }
  if (head.has_content_length) {
    end = Prepend(end, "\r\n");
    end = PrependNumber(end, head.content_length);
    end = Prepend(end, "Content-Length: ");
  }
  end = Prepend(end, date_line);
  end = Prepend(end, "\r\n");
  end = Prepend(end, ReasonPhrase(head.status));
  end = Prepend(end, " ");
  end = PrependNumber(end, static_cast<size_t>(head.status));
  return Prepend(end, "HTTP/1.1 ");
}

}  // namespace penstock::http
