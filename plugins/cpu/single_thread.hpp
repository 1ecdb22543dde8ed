// SPDX-License-Identifier: Apache-2.0
// One thread for each oneDNN call, whichever threading library oneDNN was built with: packs run side by side,
// and a product split over threads may sum in another order.
#pragma once

#include "depthlens/base/error.hpp"

#include <dnnl.hpp>

#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
#include <omp.h>
#elif DNNL_CPU_RUNTIME == DNNL_RUNTIME_TBB
#include <oneapi/tbb/task_arena.h>
#endif

namespace depthlens::cpu {

#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
// OpenMP keeps the number of threads for each calling thread.
class one_openmp_thread {
 public:
  one_openmp_thread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~one_openmp_thread() { omp_set_num_threads(before_); }
  one_openmp_thread(const one_openmp_thread&) = delete;
  one_openmp_thread& operator=(const one_openmp_thread&) = delete;

 private:
  int before_;
};
#endif

// Runs fn() with one thread for each oneDNN call made by this thread; oneDNN's errors become
// depthlens::error.
template <class Function>
void run_single_threaded(Function&& fn) {
  try {
#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
    const one_openmp_thread scope;
    fn();
#elif DNNL_CPU_RUNTIME == DNNL_RUNTIME_TBB
    oneapi::tbb::task_arena alone(1);
    alone.execute(fn);
#else
    fn();
#endif
  } catch (const dnnl::error& e) {
    fail(status::internal, "oneDNN: ", e.what(), " (status ", static_cast<int>(e.status), ")");
  }
}

}  // namespace depthlens::cpu
