// SPDX-License-Identifier: Apache-2.0
#include "process/plugin_call.hpp"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>

namespace depthlens {
namespace {

// Of one thread. Other threads read it in signal handlers while it may change: the worst that can come of it
// is a wrong word in a last line.
struct slot {
  std::atomic<bool> taken{false};
  std::atomic<std::uint64_t> number{0};  // of calls begun and ended
  plugin_call::place now;
};

constexpr std::size_t watched_threads = 1024;  // further threads are not watched
slot slots[watched_threads];
slot beyond;  // shared by those

thread_local slot* mine = nullptr;

// A crash by a stack that is full needs another one to be told on.
class signal_stack {
 public:
  signal_stack() : memory_(new (std::nothrow) char[stack_bytes]) {
    stack_t before{};
    if (!memory_ || ::sigaltstack(nullptr, &before) != 0 || (before.ss_flags & SS_DISABLE) == 0) return;
    stack_t stack{};
    stack.ss_sp = memory_.get();
    stack.ss_size = stack_bytes;
    set_ = ::sigaltstack(&stack, nullptr) == 0;
  }
  ~signal_stack() {
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    if (set_) ::sigaltstack(&none, nullptr);
  }
  signal_stack(const signal_stack&) = delete;
  signal_stack& operator=(const signal_stack&) = delete;

 private:
  static constexpr std::size_t stack_bytes = 64 << 10;
  std::unique_ptr<char[]> memory_;
  bool set_ = false;
};

// Takes a slot for the life of the thread.
class slot_owner {
 public:
  slot_owner() {
    for (slot& s : slots)
      if (bool free = false; s.taken.compare_exchange_strong(free, true)) {
        mine = &s;
        return;
      }
    mine = &beyond;
  }
  ~slot_owner() {
    if (mine != &beyond) mine->taken = false;
    mine = nullptr;
  }
  slot_owner(const slot_owner&) = delete;
  slot_owner& operator=(const slot_owner&) = delete;

 private:
  signal_stack stack_;
};

void own_slot() {
  thread_local slot_owner owner;
  static_cast<void>(owner);
}

char backend_word[64];

struct watched {
  std::uint64_t number = 0;
  unsigned looks = 0;
};
watched seen[watched_threads];

}  // namespace

plugin_call::plugin_call(std::string_view kind, std::string_view word, const char* function,
                         std::int64_t record) noexcept {
  if (mine == nullptr) own_slot();
  slot& s = *mine;
  before_ = s.now;
  s.now.function = nullptr;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  char* at = s.now.who;
  const char* const end = at + sizeof s.now.who - 1;
  const auto add = [&](std::string_view text) {
    const std::size_t n = std::min(text.size(), static_cast<std::size_t>(end - at));
    std::memcpy(at, text.data(), n);
    at += n;
  };
  add(kind);
  if (!word.empty()) add(" ");
  add(word);
  *at = '\0';
  s.now.record = record;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  s.now.function = function;
  s.number.fetch_add(1, std::memory_order_release);
}

plugin_call::~plugin_call() {
  slot& s = *mine;
  s.now.function = nullptr;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  s.now = before_;
  s.number.fetch_add(1, std::memory_order_release);
}

void name_backend(std::string_view word) {
  const std::size_t n = std::min(word.size(), sizeof backend_word - 1);
  std::memcpy(backend_word, word.data(), n);
  backend_word[n] = '\0';
}

std::string_view backend_name() noexcept { return backend_word; }

const plugin_call::place* call_here() noexcept {
  return mine != nullptr && mine->now.function != nullptr ? &mine->now : nullptr;
}

const plugin_call::place* call_elsewhere() noexcept {
  for (const slot& s : slots)
    if (&s != mine && s.taken.load(std::memory_order_acquire) && s.now.function != nullptr) return &s.now;
  return nullptr;
}

signal_line& operator<<(signal_line& line, const plugin_call::place& call) noexcept {
  const char* const function = call.function;
  line << call.who << ", " << (function != nullptr ? function : "?");
  if (call.record != plugin_call::no_record) line << ", record " << call.record;
  return line;
}

std::string to_string(const plugin_call::place& call) {
  signal_line line;
  return std::string((line << call).text());
}

const plugin_call::place* overdue_call(unsigned looks) noexcept {
  for (std::size_t i = 0; i < watched_threads; ++i) {
    const slot& s = slots[i];
    watched& w = seen[i];
    const std::uint64_t number = s.number.load(std::memory_order_acquire);
    const bool there = s.taken.load(std::memory_order_acquire) && s.now.function != nullptr;
    w.looks = there && number == w.number ? w.looks + 1 : 0;
    w.number = number;
    if (there && w.looks >= looks) return &s.now;
  }
  return nullptr;
}

}  // namespace depthlens
