// SPDX-License-Identifier: Apache-2.0
// The last line of a program that ends in a signal handler: no allocation, no lock, no stream.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace depthlens {

class signal_line {
 public:
  signal_line& operator<<(std::string_view text) noexcept {
    for (const char c : text)
      if (size_ + 1 < sizeof text_) text_[size_++] = c;
    return *this;
  }
  signal_line& operator<<(std::int64_t number) noexcept {
    char digits[24];
    std::size_t at = sizeof digits;
    const bool negative = number < 0;
    auto rest = negative ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
    do digits[--at] = static_cast<char>('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (negative) digits[--at] = '-';
    return *this << std::string_view(digits + at, sizeof digits - at);
  }
  // To stderr. With a progress bar the line begins anew; without one the first byte would be an empty line.
  void write() noexcept {
    text_[size_++] = '\n';
    const std::size_t skipped = ::isatty(STDERR_FILENO) != 0 ? 0 : 1;
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text_ + skipped, size_ - skipped);
  }
  // What is written so far, without the mark in front.
  std::string_view text() const noexcept { return std::string_view(text_, size_).substr(mark.size()); }

 private:
  static constexpr std::string_view mark = "\ndepthlens: error: ";
  char text_[1024] = "\ndepthlens: error: ";
  std::size_t size_ = mark.size();
};

// Ends the program without anything more, also where a plugin is at work.
[[noreturn]] inline void end_process(int code) noexcept {
  for (;;) ::syscall(SYS_exit_group, code);
}

}  // namespace depthlens
