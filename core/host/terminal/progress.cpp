// SPDX-License-Identifier: Apache-2.0
#include "terminal/progress.hpp"

#include "depthlens/base/error.hpp"
#include "terminal/log.hpp"
#include "terminal/time_words.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <iomanip>

namespace depthlens {
namespace {

constexpr auto redraw_every = std::chrono::milliseconds(100);
constexpr auto plain_line_every = std::chrono::seconds(30);
constexpr auto object_every = std::chrono::seconds(1);
constexpr int bar_width = 24;

}  // namespace

progress::progress(std::string what, std::uint64_t total) : what_(std::move(what)), total_(total) {}

progress::~progress() {
  if (stderr_is_terminal()) set_status_line("");
  try {  // who reads objects knows by the last one how much was done
    if (progress_asked() == progress_form::json && done_ != shown_) show(done_, clock::now());
  } catch (...) {
  }
}

bool progress::is_time(clock::time_point now) const {
  if (progress_asked() == progress_form::none || quiet()) return false;
  if (progress_asked() == progress_form::json) return now - last_ >= object_every;
  return now - last_ >=
         (stderr_is_terminal() ? clock::duration(redraw_every) : clock::duration(plain_line_every));
}

void progress::add(std::uint64_t n) {
  const std::uint64_t done = done_ += n;
  const auto now = clock::now();
  const std::unique_lock lock(guard_, std::try_to_lock);
  if (!lock || !is_time(now)) return;
  last_ = now;
  show(done, now);
}

void progress::note(std::string text, double at) {
  const std::lock_guard lock(guard_);
  note_ = std::move(text);
  at_ = at;
}

void progress::show(std::uint64_t done, clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double all = static_cast<double>(total_),
               at = std::min(all, std::max(static_cast<double>(done), at_));
  const double rate = at / std::max(seconds, 1e-9);
  shown_ = done;
  // Of the first moments nothing follows.
  const bool tells = at > 0.02 * all && seconds > 1;
  if (progress_asked() == progress_form::json) {
    boost::json::object o{
        {"what", what_}, {"done", done}, {"of", std::max(total_, done)}, {"seconds", seconds}};
    o["seconds_left"] = tells ? boost::json::value((all - at) / rate) : boost::json::value();
    if (!note_.empty()) o["note"] = note_;
    return log_progress(o);
  }
  const std::string left = tells ? cat("  ", time_words((all - at) / rate), " left") : "";
  const std::string speed =
      done > 0 ? cat("  ", std::fixed, std::setprecision(rate < 0.1 ? 3 : 1), rate, "/s") : "";
  const std::string numbers = cat(done, "/", total_, speed, left, note_.empty() ? "" : "  ", note_);
  if (!stderr_is_terminal()) return log_info(cat(what_, ": ", numbers));
  const int filled = total_ ? static_cast<int>(bar_width * at / all) : bar_width;
  set_status_line(
      cat(what_, " [", std::string(filled, '='), std::string(bar_width - filled, ' '), "] ", numbers));
}

}  // namespace depthlens
