// SPDX-License-Identifier: Apache-2.0
// Preloaded into the program (LD_PRELOAD) by tests of what it does without memory or threads.
// FAIL_CALL=malloc:7 lets the 7th call of that kind fail, malloc:7+ that and all that follow; kinds: malloc
// (and what is like it), mmap, pthread_create. COUNT_CALLS=FILE writes there, when the program ends, how many
// of each there were. Programs that the program starts are left alone.
#include <pthread.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {
void* __libc_malloc(std::size_t) noexcept;
void* __libc_calloc(std::size_t, std::size_t) noexcept;
void* __libc_realloc(void*, std::size_t) noexcept;
void* __libc_memalign(std::size_t, std::size_t) noexcept;
}

namespace {

enum kind { of_malloc, of_mmap, of_thread, kinds };
constexpr const char* names[kinds] = {"malloc", "mmap", "pthread_create"};

struct rule {
  long first = 0;  // 0 = none fails
  bool all_that_follow = false;
};
rule rules[kinds];
std::atomic<long> counts[kinds];
char count_file[4096];

__attribute__((constructor(101))) void begin() {
  if (const char* wish = std::getenv("FAIL_CALL"))
    for (int k = 0; k < kinds; ++k) {
      const std::size_t n = std::strlen(names[k]);
      if (std::strncmp(wish, names[k], n) != 0 || wish[n] != ':') continue;
      char* end = nullptr;
      const long first = std::strtol(wish + n + 1, &end, 10);
      rules[k] = {first, *end == '+'};
    }
  if (const char* file = std::getenv("COUNT_CALLS")) std::snprintf(count_file, sizeof count_file, "%s", file);
  for (std::atomic<long>& c : counts) c = 0;
  for (const char* name : {"LD_PRELOAD", "FAIL_CALL", "COUNT_CALLS"}) ::unsetenv(name);
}

__attribute__((destructor)) void end() {
  if (count_file[0] == '\0') return;
  char text[200];
  const int n = std::snprintf(text, sizeof text, "%ld %ld %ld\n", counts[of_malloc].load(),
                              counts[of_mmap].load(), counts[of_thread].load());
  const int fd = ::open(count_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ::write(fd, text, static_cast<std::size_t>(n)) != n) std::abort();
  ::close(fd);
}

bool fails(kind k) {
  const long number = ++counts[k];
  const rule& r = rules[k];
  return r.first > 0 && (number == r.first || (r.all_that_follow && number > r.first));
}

void* no_memory() {
  errno = ENOMEM;
  return nullptr;
}

}  // namespace

#define DEPTHLENS_INSTEAD extern "C" __attribute__((visibility("default")))

DEPTHLENS_INSTEAD void* malloc(std::size_t n) noexcept {
  return fails(of_malloc) ? no_memory() : __libc_malloc(n);
}
DEPTHLENS_INSTEAD void* calloc(std::size_t n, std::size_t size) noexcept {
  return fails(of_malloc) ? no_memory() : __libc_calloc(n, size);
}
DEPTHLENS_INSTEAD void* realloc(void* p, std::size_t n) noexcept {
  return fails(of_malloc) ? no_memory() : __libc_realloc(p, n);
}
DEPTHLENS_INSTEAD void* memalign(std::size_t alignment, std::size_t n) noexcept {
  return fails(of_malloc) ? no_memory() : __libc_memalign(alignment, n);
}
DEPTHLENS_INSTEAD void* aligned_alloc(std::size_t alignment, std::size_t n) noexcept {
  return fails(of_malloc) ? no_memory() : __libc_memalign(alignment, n);
}
DEPTHLENS_INSTEAD int posix_memalign(void** out, std::size_t alignment, std::size_t n) noexcept {
  if (fails(of_malloc)) return ENOMEM;
  void* const p = __libc_memalign(alignment, n);
  if (p == nullptr) return ENOMEM;
  *out = p;
  return 0;
}

DEPTHLENS_INSTEAD void* mmap(void* at, std::size_t n, int access, int flags, int fd, off_t offset) noexcept {
  if (!fails(of_mmap)) return reinterpret_cast<void*>(::syscall(SYS_mmap, at, n, access, flags, fd, offset));
  errno = ENOMEM;
  return reinterpret_cast<void*>(-1);
}
DEPTHLENS_INSTEAD void* mmap64(void* at, std::size_t n, int access, int flags, int fd,
                               off_t offset) noexcept {
  return mmap(at, n, access, flags, fd, offset);
}

DEPTHLENS_INSTEAD int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                                     void* argument) noexcept {
  if (fails(of_thread)) return EAGAIN;
  using function = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto next = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "pthread_create"));
  return next(thread, attributes, run, argument);
}
