// SPDX-License-Identifier: Apache-2.0
#include "product_rate.hpp"

#include "code_room.hpp"
#include "single_thread.hpp"

#include "depthlens/backend/product_counts.hpp"
#include "depthlens/backend/sum_over_threads.hpp"
#include "depthlens/backend/work_counters.hpp"
#include "depthlens/base/error.hpp"

#include <dnnl.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace depthlens::cpu {

namespace {

using memory = dnnl::memory;

constexpr memory::dim rows = rate_rows;

memory::desc matrix(memory::dim n, memory::dim m, memory::data_type type, memory::format_tag layout) {
  return memory::desc({n, m}, type, layout);
}

dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, const memory::desc& in,
                                      const memory::desc& weights, const memory::desc& out) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(engine, in, weights, out);
#else
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(in, weights, out), engine);
#endif
}

// Values of 0.008 to 2 and their negatives, whichever of the types they are read as.
void fill(const memory& to) {
  const std::size_t halves = to.get_desc().get_size() / sizeof(std::uint16_t);
  auto* at = static_cast<std::uint16_t*>(to.get_data_handle());
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < halves; ++i) {
    state = state * 1664525u + 1013904223u;
    at[i] = static_cast<std::uint16_t>(0x3c00u | (state >> 16 & 0x83ffu));
  }
}

// A product of one shape. All threads read the same weights, as those of a model.
struct product {
  memory::desc from, to;
  dnnl::matmul::primitive_desc how;
  memory weights;
  double flops;

  product(const dnnl::engine& engine, const product_shape& shape, memory::data_type type) {
    const auto k = static_cast<memory::dim>(shape.inputs), n = static_cast<memory::dim>(shape.outputs);
    from = matrix(rows, k, type, memory::format_tag::ab);
    to = matrix(rows, n, memory::data_type::f32, memory::format_tag::ab);
    how = describe(engine, from, matrix(k, n, type, memory::format_tag::any), to);
    weights = memory(how.weights_desc(), engine);
    fill(weights);
    flops = 2.0 * static_cast<double>(rows) * static_cast<double>(k) * static_cast<double>(n);
  }
};

// One for each different shape, in the order of `shapes`.
struct products {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  std::vector<product> different;
  std::vector<std::size_t> order;

  products(const std::vector<product_shape>& shapes, memory::data_type type) {
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> made;
    for (const product_shape& s : shapes) {
      const auto [at, fresh] = made.try_emplace({s.inputs, s.outputs}, different.size());
      if (fresh) different.emplace_back(engine, s, type);
      order.push_back(at->second);
    }
  }
};

// The products with inputs and outputs of one thread.
class product_round {
 public:
  explicit product_round(const products& of) : of_(of), stream_(of.engine) {
    std::size_t widest_in = 0, widest_out = 0;
    for (const product& p : of.different) {
      widest_in = std::max(widest_in, p.from.get_size());
      widest_out = std::max(widest_out, p.to.get_size());
    }
    const auto bytes = [&](std::size_t n) {
      return memory(memory::desc({static_cast<memory::dim>(n)}, memory::data_type::u8, memory::format_tag::a),
                    of.engine);
    };
    in_ = bytes(widest_in);
    out_ = bytes(widest_out);
    fill(in_);
    for (const product& p : of.different) {
      require_code_room();
      parts_.push_back({dnnl::matmul(p.how), memory(p.from, of.engine, in_.get_data_handle()),
                        memory(p.to, of.engine, out_.get_data_handle())});
    }
  }
  // Runs each once; flops.
  double run() {
    double flops = 0;
    for (const std::size_t i : of_.order) {
      const product& p = of_.different[i];
      parts_[i].run.execute(
          stream_,
          {{DNNL_ARG_SRC, parts_[i].in}, {DNNL_ARG_WEIGHTS, p.weights}, {DNNL_ARG_DST, parts_[i].out}});
      flops += p.flops;
    }
    stream_.wait();
    return flops;
  }

 private:
  struct part {
    dnnl::matmul run;
    memory in, out;
  };
  const products& of_;
  dnnl::stream stream_;
  memory in_, out_;
  std::vector<part> parts_;
};

memory::data_type type_of(std::string_view precision) {
  if (precision == "f32") return memory::data_type::f32;
  if (precision == "bf16") return memory::data_type::bf16;
  fail(status::unavailable, "the cpu backend has no products in ", precision);
}

double rate_of_this_thread(const products& of, double seconds) {
  product_round round(of);
  round.run();  // makes and touches everything
  const std::uint64_t start = now_ns();
  const auto wanted = static_cast<std::uint64_t>(seconds * 1e9);
  double flops = 0;
  std::uint64_t spent = 0;
  for (; spent < wanted || flops == 0; spent = now_ns() - start) flops += round.run();
  return flops / (static_cast<double>(spent) / 1e9);
}

}  // namespace

double measure_product_rate(std::vector<product_shape> shapes, std::string_view precision,
                            std::uint32_t threads, double seconds) {
  const memory::data_type type = type_of(precision);
  narrow_products(shapes, most_rate_weights);
  try {
    std::optional<products> made;
    run_single_threaded([&] { made.emplace(shapes, type); });
    return sum_over_threads(threads, [&] {
      double rate = 0;
      run_single_threaded([&] { rate = rate_of_this_thread(*made, seconds); });
      return rate;
    });
  } catch (const error& e) {
    fail(status::unavailable, "no products in ", precision, " on this CPU: ", e.what());
  }
}

}  // namespace depthlens::cpu
