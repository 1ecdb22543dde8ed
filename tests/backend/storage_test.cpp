// SPDX-License-Identifier: Apache-2.0
// Weights as parts of larger tensors: transposed, fused by rows or by heads, quantised rows with gaps. The
// numbers are those of the same weights in plain matrices, to the bit; and what does not fit is refused.
#include "agreement.hpp"
#include "same_read.hpp"

#include "depthlens/files/blocks.hpp"

#include <boost/test/unit_test.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <list>
#include <string>

using namespace depthlens::testing;

BOOST_AUTO_TEST_SUITE(storage)

namespace {

const char* const matrices[] = {"q", "k", "v", "o", "gate", "up", "down"};

// A model whose tensors are moved to other places.
class moved_model {
 public:
  explicit moved_model(const random_model& weights) : source_(weights), view(weights) {}

  const matrix& source(const std::string& name) const { return source_.at(name); }

  // Memory of n values; lives as long as this object.
  float* memory(std::size_t n) {
    // Gaps hold what would be noticed.
    return memory_.emplace_back(n, std::numeric_limits<float>::quiet_NaN()).data();
  }

  // Puts element (r, c) of a tensor where the view of `t` says, in memory of n values that begins at `base`.
  void move(const std::string& name, dlens_tensor layout, float* base, std::size_t offset, std::size_t n) {
    dlens_tensor& t = view.tensor(name);
    const matrix& m = source(name);
    t.row_group = layout.row_group, t.group_stride = layout.group_stride;
    t.row_stride = layout.row_stride, t.column_stride = layout.column_stride;
    t.data = base + offset;
    t.bytes = (n - offset) * sizeof(float);
    const std::size_t columns = t.n_dims == 1 ? 1 : m.columns;
    for (std::size_t i = 0; i < m.values.size(); ++i) {
      const std::size_t r = i / columns, c = i % columns;
      const std::size_t at = ((r / t.row_group) * t.group_stride + r % t.row_group) * t.row_stride;
      base[offset + at + c * t.column_stride] = m.values[i];
    }
  }

 private:
  const random_model& source_;
  std::list<std::vector<float>> memory_;

 public:
  weights_view view;
};

dlens_tensor layout(std::size_t row_group, std::size_t group_stride, std::size_t row_stride,
                    std::size_t column_stride) {
  dlens_tensor t{};
  t.row_group = row_group, t.group_stride = group_stride;
  t.row_stride = row_stride, t.column_stride = column_stride;
  return t;
}

pack some_pack(const model_shape& shape) { return pack_of(random_sequences(shape, 12, 30, 5)); }

std::size_t count_differing_reads(const dlens_weights& moved, const random_model& plain) {
  test_model a(plain), b(moved, plain.shape.layers, 2);
  a.add_logit_lens();
  b.add_logit_lens();
  const pack p = some_pack(plain.shape);
  const pack_readings ra = a.forward(p), rb = b.forward(p);
  std::size_t different = 0;
  for (std::size_t i = 0; i < p.read_token.size(); ++i) different += same_read(p, ra, i, p, rb, i) ? 0 : 1;
  return different;
}

// The bytes of 32-value blocks: a half-precision scale and 32 signed bytes.
std::vector<std::byte> random_q8_0(std::size_t n_blocks, std::uint32_t seed) {
  std::mt19937 bits(seed);
  std::vector<std::byte> out;
  for (std::size_t i = 0; i < n_blocks; ++i) {
    const std::uint16_t scale = static_cast<std::uint16_t>(0x1400 + bits() % 0x200);  // about 0.001
    out.push_back(static_cast<std::byte>(scale & 0xff));
    out.push_back(static_cast<std::byte>(scale >> 8));
    for (int j = 0; j < 32; ++j) out.push_back(static_cast<std::byte>(bits() & 0xff));
  }
  return out;
}

// Blocks of 32 numbers of four bits each, and apart from them the power of two of each block.
struct paired_blocks {
  std::vector<std::byte> numbers, scales;
  paired_blocks(std::size_t n_blocks, std::uint32_t seed) {
    std::mt19937 bits(seed);
    for (std::size_t i = 0; i < 16 * n_blocks; ++i) numbers.push_back(static_cast<std::byte>(bits() & 0xff));
    for (std::size_t i = 0; i < n_blocks; ++i) scales.push_back(static_cast<std::byte>(122 + bits() % 3));
  }
};

// Puts such blocks in the place of a matrix, with its rows `apart` rows from one another, and their values
// into it.
void move_to_pairs(matrix& m, dlens_tensor& t, std::size_t apart, std::list<paired_blocks>& memory) {
  const std::size_t row = m.columns / 32;
  const paired_blocks& blocks = memory.emplace_back(apart * m.rows * row, static_cast<std::uint32_t>(row));
  for (std::size_t r = 0; r < m.rows; ++r) {
    const std::size_t first = r * apart * row;
    depthlens::detail::dequantize_mxfp4_pairs(blocks.numbers.data() + 16 * first,
                                              blocks.scales.data() + first, row,
                                              m.values.data() + r * m.columns);
  }
  t.dtype = DLENS_DTYPE_MXFP4_PAIRS;
  t.data = blocks.numbers.data();
  t.bytes = blocks.numbers.size() - (apart - 1) * row * 16;
  t.scales = blocks.scales.data();
  t.scale_bytes = blocks.scales.size() - (apart - 1) * row;
  t.row_stride = apart * m.columns;
}

bool holds_blocks(const matrix& m) { return !m.vector && m.columns % 32 == 0; }

}  // namespace

BOOST_AUTO_TEST_CASE(transposed_matrices_that_are_parts_of_one_read_like_plain_ones) {
  for (const std::uint32_t width : {48u, 131u}) {
    const random_model weights({.width = width, .kv_heads = 4, .tied = false, .seed = 101});
    moved_model moved(weights);
    for (std::uint32_t i = 0; i < weights.shape.layers; ++i) {
      const std::string at = depthlens::cat("block.", i, ".");
      const std::size_t out = weights.at(at + "q").rows, n = 3 * out * width;
      float* fused = moved.memory(n);
      std::size_t column = 0;
      for (const char* part : {"q", "k", "v"}) {
        moved.move(at + part, layout(out, out, 1, 3 * out), fused, column, n);
        column += out;
      }
      for (const char* name : {"o", "gate", "up", "down"}) {
        const matrix& m = weights.at(at + name);
        moved.move(at + name, layout(m.rows, m.rows, 1, m.rows), moved.memory(m.values.size()), 0,
                   m.values.size());
      }
    }
    for (const char* name : {"embed", "unembed"}) {
      const matrix& m = weights.at(name);
      const std::size_t n = m.columns * (m.rows + 5);
      moved.move(name, layout(m.rows, m.rows, 1, m.rows + 5), moved.memory(n), 0, n);
    }
    BOOST_TEST(count_differing_reads(moved.view.weights, weights) == 0u);
  }
}

BOOST_AUTO_TEST_CASE(queries_keys_and_values_fused_head_by_head_read_like_plain_ones) {
  const random_model weights({.kv_heads = 4, .biased = true, .seed = 102});
  const std::size_t d = weights.shape.width, head = weights.shape.head_dim, heads = weights.shape.heads;
  moved_model moved(weights);
  for (std::uint32_t i = 0; i < weights.shape.layers; ++i) {
    const std::string at = depthlens::cat("block.", i, ".");
    float* fused = moved.memory(3 * heads * head * d);
    float* bias = moved.memory(3 * heads * head);
    std::size_t row = 0;
    for (const std::string part : {"q", "k", "v"}) {
      moved.move(at + part, layout(head, 3 * head, d, 1), fused, row * d, 3 * heads * head * d);
      moved.move(at + part + ".bias", layout(head, 3 * head, 1, 1), bias, row, 3 * heads * head);
      row += head;
    }
  }
  BOOST_TEST(count_differing_reads(moved.view.weights, weights) == 0u);
}

BOOST_AUTO_TEST_CASE(rows_with_gaps_between_them_read_like_plain_ones) {
  const random_model weights({.biased = true, .seed = 103, .learned_positions = true});
  moved_model moved(weights);
  for (const auto& [name, m] : weights.tensors) {
    const bool is_vector = moved.view.tensor(name).n_dims == 1;
    const std::size_t rows = is_vector ? m.columns : m.rows, columns = is_vector ? 1 : m.columns;
    const std::size_t n = 3 + rows * (columns + 7);
    moved.move(name, layout(rows, rows, columns + 7, 1), moved.memory(n), 3, n);
  }
  BOOST_TEST(count_differing_reads(moved.view.weights, weights) == 0u);
}

BOOST_AUTO_TEST_CASE(rows_of_quantised_blocks_in_every_second_place_read_like_their_values) {
  random_model weights({.width = 64, .seed = 104});
  moved_model moved(weights);
  std::list<std::vector<std::byte>> memory;
  for (const char* name : matrices) {
    matrix& m = weights.tensors.at(depthlens::cat("block.1.", name));
    if (m.columns % 32 != 0) continue;
    const std::size_t row_bytes = m.columns / 32 * 34;
    const auto& blocks = memory.emplace_back(random_q8_0(2 * m.rows * m.columns / 32, 105));
    for (std::size_t r = 0; r < m.rows; ++r) {
      depthlens::dequantize(depthlens::dtype::q8_0, blocks.data() + 2 * r * row_bytes, m.columns,
                            m.values.data() + r * m.columns);
    }
    dlens_tensor& t = moved.view.tensor(depthlens::cat("block.1.", name));
    t.dtype = DLENS_DTYPE_Q8_0;
    t.data = blocks.data();
    t.bytes = blocks.size() - row_bytes;
    t.row_stride = 2 * m.columns;
  }
  BOOST_TEST(memory.size() >= 5u);
  BOOST_TEST(count_differing_reads(moved.view.weights, weights) == 0u);
}

BOOST_AUTO_TEST_CASE(blocks_whose_scales_lie_elsewhere_read_like_their_values) {
  const model_shape dense{.width = 64, .inner = 96, .seed = 108};
  const model_shape experts{.width = 64,
                            .seed = 109,
                            .activation = DLENS_ACTIVATION_CLAMPED,
                            .biased_inner = true,
                            .experts = expert_shape{.inner = 32, .router = DLENS_ROUTER_CHOSEN_SOFTMAX}};
  for (const model_shape& shape : {dense, experts}) {
    for (const std::size_t apart : {1u, 2u}) {
      random_model weights(shape);
      moved_model moved(weights);
      std::list<paired_blocks> memory;
      for (auto& [name, m] : weights.tensors)
        if (holds_blocks(m)) move_to_pairs(m, moved.view.tensor(name), apart, memory);
      BOOST_TEST(memory.size() >= 15U);
      BOOST_TEST(count_differing_reads(moved.view.weights, weights) == 0u);
    }
  }
}

BOOST_AUTO_TEST_CASE(transposed_halves_read_like_their_values) {
  random_model weights({.seed = 106});
  moved_model moved(weights);
  std::list<std::vector<std::uint16_t>> memory;
  for (const char* name : matrices) {
    matrix& m = weights.tensors.at(depthlens::cat("block.0.", name));
    auto& halves = memory.emplace_back(m.values.size());
    for (std::size_t i = 0; i < m.values.size(); ++i) {
      const std::uint32_t upper = std::bit_cast<std::uint32_t>(m.values[i]) & 0xffff0000u;
      m.values[i] = std::bit_cast<float>(upper);
      halves[i % m.columns * m.rows + i / m.columns] = static_cast<std::uint16_t>(upper >> 16);
    }
    dlens_tensor& t = moved.view.tensor(depthlens::cat("block.0.", name));
    t.dtype = DLENS_DTYPE_BF16;
    t.data = halves.data();
    t.bytes = 2 * halves.size();
    t.row_stride = 1;
    t.column_stride = m.rows;
  }
  BOOST_TEST(count_differing_reads(moved.view.weights, weights) == 0u);
}

BOOST_AUTO_TEST_CASE(views_that_leave_their_bytes_are_refused_by_name) {
  const random_model weights({.width = 64, .inner = 96});
  const auto refused = [&](auto change) {
    weights_view view(weights);
    change(view.tensor("block.1.up"));
    BOOST_CHECK_EXCEPTION(loaded_model model(view.weights), depthlens::error, [](const depthlens::error& e) {
      return e.code() == depthlens::status::data &&
             std::string(e.what()).find("block.1.up") != std::string::npos;
    });
  };
  constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  refused([](dlens_tensor& t) { t.bytes -= 1; });
  refused([](dlens_tensor& t) { t.row_stride += 1; });
  refused([](dlens_tensor& t) { t.column_stride = 2; });
  refused([](dlens_tensor& t) { t.row_group = 0; });
  refused([](dlens_tensor& t) { t.row_group = 48, t.group_stride = 49; });
  refused([](dlens_tensor& t) { t.row_group = 48, t.group_stride = 47; });
  refused([](dlens_tensor& t) { t.row_stride = huge; });
  refused([](dlens_tensor& t) { t.column_stride = huge; });
  refused([](dlens_tensor& t) { t.row_stride = huge / 95 + 1; });
  refused([](dlens_tensor& t) { t.row_group = 1, t.group_stride = huge; });
  // 96 rows of 2 blocks of 34 bytes would fit, but not in this order.
  refused([](dlens_tensor& t) { t.dtype = DLENS_DTYPE_Q8_0, t.row_stride = 1, t.column_stride = 96; });
  refused([](dlens_tensor& t) { t.dtype = DLENS_DTYPE_Q8_0, t.row_stride = 80; });
  loaded_model good(weights_view(weights).weights);
}

BOOST_AUTO_TEST_CASE(blocks_without_all_of_their_scales_are_refused_by_name) {
  random_model weights({.width = 64, .inner = 96});
  const auto refused = [&](auto change) {
    weights_view view(weights);
    std::list<paired_blocks> memory;
    dlens_tensor& t = view.tensor("block.1.up");
    move_to_pairs(weights.tensors.at("block.1.up"), t, 1, memory);
    loaded_model good(view.weights);
    change(t);
    BOOST_CHECK_EXCEPTION(loaded_model model(view.weights), depthlens::error, [](const depthlens::error& e) {
      return e.code() == depthlens::status::data &&
             std::string(e.what()).find("block.1.up") != std::string::npos;
    });
  };
  refused([](dlens_tensor& t) { t.scales = nullptr; });
  refused([](dlens_tensor& t) { t.scale_bytes -= 1; });
  refused([](dlens_tensor& t) { t.bytes -= 1; });
  refused([](dlens_tensor& t) { t.row_stride += 16; });
  refused([](dlens_tensor& t) { t.size = offsetof(dlens_tensor, scales); });
}

BOOST_AUTO_TEST_CASE(parts_that_do_not_fit_the_architecture_are_refused_by_name) {
  const random_model weights({.biased = true,
                              .seed = 107,
                              .norm_biases = true,
                              .biased_unembed = true,
                              .qk = qk_norm::each_head,
                              .learned_positions = true});
  const auto refused = [&](auto change, const std::string& word) {
    weights_view view(weights);
    change(view);
    BOOST_CHECK_EXCEPTION(loaded_model model(view.weights), depthlens::error, [&](const depthlens::error& e) {
      return e.code() == depthlens::status::data && std::string(e.what()).find(word) != std::string::npos;
    });
  };
  refused([](weights_view& v) { v.tensor("position").shape[0] -= 1; }, "position");
  refused([](weights_view& v) { v.architecture.position_offset = 1; }, "position");
  refused([](weights_view& v) { v.tensor("block.0.q_norm").shape[0] -= 1; }, "block.0.q_norm");
  refused([](weights_view& v) { v.tensor("block.1.attn_norm.bias").shape[0] += 1; },
          "block.1.attn_norm.bias");
  refused([](weights_view& v) { v.tensor("unembed.bias").n_dims = 2; }, "unembed.bias");
  refused([](weights_view& v) { v.tensor("final_norm").name.size -= 1; }, "final_norm");
  refused([](weights_view& v) { v.tensor("block.2.gate.bias").bytes -= 4; }, "block.2.gate.bias");
  refused([](weights_view& v) { v.architecture.norm_kind = 3; }, "norm");
  refused([](weights_view& v) { v.blocks[0].activation = 0; }, "activation");
  refused([](weights_view& v) { v.blocks[0].activation = 6; }, "activation");
  refused([](weights_view& v) { v.blocks[0].form = 0; }, "block");
  refused([](weights_view& v) { v.attention[0].rope_kind = 7; }, "rotary");
  refused([](weights_view& v) { v.attention[0].softcap = -1; }, "cap");
  refused([](weights_view& v) { v.architecture.final_softcap = std::nan(""); }, "cap");
  refused([](weights_view& v) { v.architecture.embed_scale = std::nan(""); }, "scale");
}

BOOST_AUTO_TEST_SUITE_END()
