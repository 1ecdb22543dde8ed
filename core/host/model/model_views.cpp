// SPDX-License-Identifier: Apache-2.0
#include "model/model_views.hpp"

#include "depthlens/base/abi_error.hpp"

namespace depthlens {
namespace {

// Views the architecture's vectors.
dlens_architecture c_architecture(const architecture& a) {
  dlens_architecture c{};
  c.size = sizeof c;
  c.n_layers = a.n_layers;
  c.d_model = a.d_model;
  c.n_heads = a.n_heads;
  c.n_kv_heads = a.n_kv_heads;
  c.head_dim = a.head_dim;
  c.d_ff = a.d_ff;
  c.vocab_size = a.vocab_size;
  c.max_positions = a.max_positions;
  c.norm_kind = static_cast<std::uint32_t>(a.norm);
  c.activation = static_cast<std::uint32_t>(a.activation);
  c.block_form = static_cast<std::uint32_t>(a.form);
  c.rope_kind = static_cast<std::uint32_t>(a.rope);
  c.rope_dims = a.rope_dims;
  c.position_offset = a.position_offset;
  c.norm_eps = a.norm_eps;
  c.norm_offset = a.norm_offset;
  c.embed_scale = a.embed_scale;
  c.attention_scale = a.attention_scale;
  c.attention_softcap = a.attention_softcap;
  c.final_softcap = a.final_softcap;
  c.rope_inverse_frequency = a.rope_inv_freq.data();
  c.local_rope_inverse_frequency = a.local_rope_inv_freq.empty() ? nullptr : a.local_rope_inv_freq.data();
  c.window = a.window.empty() ? nullptr : a.window.data();
  c.rope_scale = a.rope_scale;
  return c;
}

// Views the tensor's name and bytes.
dlens_tensor c_tensor(const tensor_view& t) {
  dlens_tensor c{.size = sizeof c,
                 .dtype = static_cast<std::uint32_t>(t.type),
                 .name = to_text(t.name),
                 .n_dims = t.shape.size(),
                 .shape = {},
                 .data = t.data,
                 .bytes = t.bytes,
                 .row_group = t.row_group,
                 .group_stride = t.group_stride,
                 .row_stride = t.row_stride,
                 .column_stride = t.column_stride};
  for (std::size_t i = 0; i < t.shape.size(); ++i) c.shape[i] = t.shape[i];
  return c;
}

}  // namespace

model_views::model_views(const model_files& files) : architecture_(c_architecture(files.arch())) {
  for (const tensor_view& t : files.tensors()) tensors_.push_back(c_tensor(t));
  for (const dlens_tensor& t : tensors_) tensor_pointers_.push_back(&t);
  weights_ = {.size = sizeof weights_,
              .architecture = &architecture_,
              .tensors = tensor_pointers_.data(),
              .n_tensors = tensor_pointers_.size()};
}

}  // namespace depthlens
