// SPDX-License-Identifier: Apache-2.0
// Preloaded into the program (LD_PRELOAD) by tests of what it does when writing fails. Calls that write are
// counted, whichever they are: write, pwrite, ftruncate, fsync, fdatasync, futimens on files (not on pipes
// and terminals), open where it may create, rename, link, unlink, mkdir. FAIL_OUTPUT=7:ENOSPC lets the 7th of
// them fail, 7+:ENOSPC that and all that follow; likewise EIO and ESTALE; 7:short lets it write half, 7:kill
// is the end of the process before it. COUNT_OUTPUT=FILE writes there, when the program ends, how many there
// were. CLOCK_JUMP=-3600 sets the time of day so many seconds on at the 20th look at it. LATE=MS hides what
// others created for so long from those who open it to read, as network file systems may. Programs that the
// program starts are left alone.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

long first = 0;  // 0 = none fails
bool all_that_follow = false, kills = false, halves = false;
int number = ENOSPC;
std::atomic<long> count{0}, looks{0};
long jump = 0, late = 0;
char count_file[4096];

__attribute__((constructor(101))) void begin() {
  if (const char* wish = std::getenv("FAIL_OUTPUT")) {
    char* end = nullptr;
    first = std::strtol(wish, &end, 10);
    all_that_follow = *end == '+';
    if (all_that_follow) ++end;
    const char* const what = *end == ':' ? end + 1 : "";
    kills = std::strcmp(what, "kill") == 0;
    halves = std::strcmp(what, "short") == 0;
    if (std::strcmp(what, "EIO") == 0) number = EIO;
    if (std::strcmp(what, "ESTALE") == 0) number = ESTALE;
  }
  if (const char* file = std::getenv("COUNT_OUTPUT"))
    std::snprintf(count_file, sizeof count_file, "%s", file);
  if (const char* ms = std::getenv("LATE")) late = std::strtol(ms, nullptr, 10);
  if (const char* seconds = std::getenv("CLOCK_JUMP")) jump = std::strtol(seconds, nullptr, 10);
  count = looks = 0;
  for (const char* name : {"LD_PRELOAD", "FAIL_OUTPUT", "COUNT_OUTPUT", "CLOCK_JUMP", "LATE"})
    ::unsetenv(name);
}

__attribute__((destructor)) void end() {
  if (count_file[0] == '\0') return;
  char text[64];
  const int n = std::snprintf(text, sizeof text, "%ld\n", count.load());
  const auto fd =
      static_cast<int>(::syscall(SYS_openat, AT_FDCWD, count_file, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  if (fd < 0 || ::syscall(SYS_write, fd, text, n) != n) std::abort();
}

// Whether this call is one that fails; what it is to do instead is up to the caller.
bool chosen() {
  const long n = ++count;
  if (first == 0 || !(n == first || (all_that_follow && n > first))) return false;
  if (kills) {
    ::syscall(SYS_kill, ::getpid(), SIGKILL);
    ::pause();
  }
  return true;
}

// Calls that can be done by half are; the others are not touched then.
bool fails() {
  if (!chosen() || halves) return false;
  errno = number;
  return true;
}

bool is_file(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

// Files that this process made, which it sees at once.
constexpr int most_made = 1024;
ino_t made_here[most_made];
std::atomic<int> n_made{0};

void note_made(int fd) {
  struct stat info {};
  if (late == 0 || fd < 0 || ::fstat(fd, &info) != 0) return;
  if (const int at = n_made++; at < most_made) made_here[at] = info.st_ino;
}

bool is_made_here(ino_t file) {
  for (int i = 0; i < n_made && i < most_made; ++i)
    if (made_here[i] == file) return true;
  return false;
}

// Not shown yet to a reader: by when it got its name.
bool is_hidden(const char* path, int flags) {
  struct stat info {};
  timespec now{};
  if (late == 0 || (flags & (O_CREAT | O_DIRECTORY)) != 0 || ::stat(path, &info) != 0 ||
      !S_ISREG(info.st_mode) || is_made_here(info.st_ino))
    return false;
  ::syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  const long age =
      (now.tv_sec - info.st_ctim.tv_sec) * 1000 + (now.tv_nsec - info.st_ctim.tv_nsec) / 1'000'000;
  if (age >= late) return false;
  errno = ENOENT;
  return true;
}

// 0 = it fails; how much is to be written otherwise.
std::size_t allowed(int fd, std::size_t n) {
  if (n == 0 || !is_file(fd) || !chosen()) return n;
  if (halves) return n > 1 ? n / 2 : n;
  errno = number;
  return 0;
}

}  // namespace

#define DEPTHLENS_INSTEAD extern "C" __attribute__((visibility("default")))

DEPTHLENS_INSTEAD ssize_t write(int fd, const void* bytes, std::size_t n) {
  const std::size_t some = allowed(fd, n);
  return some == 0 && n != 0 ? -1 : static_cast<ssize_t>(::syscall(SYS_write, fd, bytes, some));
}
DEPTHLENS_INSTEAD ssize_t pwrite(int fd, const void* bytes, std::size_t n, off_t at) {
  const std::size_t some = allowed(fd, n);
  return some == 0 && n != 0 ? -1 : static_cast<ssize_t>(::syscall(SYS_pwrite64, fd, bytes, some, at));
}
DEPTHLENS_INSTEAD ssize_t pwrite64(int fd, const void* bytes, std::size_t n, off_t at) {
  return pwrite(fd, bytes, n, at);
}
DEPTHLENS_INSTEAD int ftruncate(int fd, off_t size) noexcept {
  return fails() ? -1 : static_cast<int>(::syscall(SYS_ftruncate, fd, size));
}
DEPTHLENS_INSTEAD int ftruncate64(int fd, off_t size) noexcept { return ftruncate(fd, size); }
DEPTHLENS_INSTEAD int fsync(int fd) { return fails() ? -1 : static_cast<int>(::syscall(SYS_fsync, fd)); }
DEPTHLENS_INSTEAD int fdatasync(int fd) {
  return fails() ? -1 : static_cast<int>(::syscall(SYS_fdatasync, fd));
}
DEPTHLENS_INSTEAD int futimens(int fd, const timespec* times) noexcept {
  return fails() ? -1 : next<int (*)(int, const timespec*)>("futimens")(fd, times);
}
DEPTHLENS_INSTEAD int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
  constexpr long looks_before = 20;
  if (clock == CLOCK_REALTIME && jump != 0 && ++looks >= looks_before) time->tv_sec += jump;
  return result;
}
DEPTHLENS_INSTEAD int rename(const char* from, const char* to) noexcept {
  return fails() ? -1 : static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
DEPTHLENS_INSTEAD int link(const char* from, const char* to) noexcept {
  return fails() ? -1 : static_cast<int>(::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}
DEPTHLENS_INSTEAD int unlink(const char* path) noexcept {
  return fails() ? -1 : static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}
DEPTHLENS_INSTEAD int mkdir(const char* path, mode_t mode) noexcept {
  return fails() ? -1 : static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

DEPTHLENS_INSTEAD int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
    if (fails()) return -1;
  }
  if (is_hidden(path, flags)) return -1;
  const auto fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
  if ((flags & O_CREAT) != 0) note_made(fd);
  return fd;
}
DEPTHLENS_INSTEAD int open64(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  return open(path, flags | O_LARGEFILE, mode);
}
