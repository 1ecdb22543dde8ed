// SPDX-License-Identifier: Apache-2.0
#include "readout_stack.hpp"

#include "device.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace depthlens::torch_backend {

namespace {

// Products of halves are accumulated and kept in float32: rounded logits would be equal by the dozen.
at::Tensor product(const at::Tensor& rows, const linear& tile, product_counter& count) {
  if (tile.type() == at::kFloat) return tile.apply(rows, &count);
  const std::uint64_t start = now_ns();
  at::Tensor z = float_product(rows, tile.weight().t());
  count_product(&count, rows, tile.weight(), start);
  return tile.bias().defined() ? z.add_(tile.bias()) : z;
}

}  // namespace

readout_stack::readout_stack(const readout_model& model, const readout_request& request,
                             const row_plan<transport>& plan, std::size_t first, std::size_t n,
                             product_counter& products)
    : model_(model),
      request_(request),
      plan_(plan),
      products_(products),
      first_(static_cast<std::int64_t>(first)),
      n_(static_cast<std::int64_t>(n)),
      sites_(std::span(request.sites).subspan(first, n)),
      n_varying_(n_ * static_cast<std::int64_t>(plan.rows.size() - plan.n_constant)),
      rows_(make_rows()) {}

at::Tensor readout_stack::make_rows() const {
  std::vector<at::Tensor> rows;
  for (const planned_row<transport>& row : plan_.rows) {
    const bool constant = row.transport && row.transport->is_constant();
    const at::Tensor h = (*request_.hidden)[row.layer].narrow(0, first_, constant ? 1 : n_);
    rows.push_back(row.transport ? row.transport->carry(h, products_) : h);
  }
  // Rounded as the model's weights are, whatever the tiles are held in.
  const model_weights& w = model_.weights;
  const at::Tensor normed = w.final_norm.apply(at::cat(rows)).to(w.type);
  return w.out_projection.present() ? w.out_projection.apply(normed, &products_) : normed;
}

at::Tensor readout_stack::logits(const part& of, const linear& tile) const {
  at::Tensor z = product(rows_.narrow(0, of.first_product, of.n_products), tile, products_);
  if (model_.softcap != 0) z.div_(model_.softcap).tanh_().mul_(model_.softcap);
  if (of.n == of.n_products) return z;
  return z.unsqueeze(1).expand({-1, n_, -1}).reshape({of.n, -1}).contiguous();  // one row is a view still
}

void readout_stack::find_targets(row_table& table, std::span<const site_target> targets,
                                 const linear& like) const {
  const auto width = static_cast<std::size_t>(like.weight().size(0));
  for (std::size_t first = 0; first < targets.size(); first += width)
    gather_targets(table, targets.subspan(first, std::min(width, targets.size() - first)), like);
}

// By products of the tiles' shapes, on a matrix of the targets' own rows of the unembedding.
void readout_stack::gather_targets(row_table& table, std::span<const site_target> places,
                                   const linear& like) const {
  const model_weights& w = model_.weights;
  std::vector<std::int64_t> ids;
  for (const site_target& place : places) ids.push_back(place.id);
  ids.resize(static_cast<std::size_t>(like.weight().size(0)), -1);
  at::Tensor bias;
  if (w.unembed_bias.defined())
    bias = w.unembed_bias.index_select(0, to_device(ids, model_.device).clamp_min(0));
  const linear gathered(rounded_rows(w.unembed, ids, w.type, model_.device).to(like.type()), bias);
  const linear tile = like.weight().is_mkldnn() ? gathered.packed(rows_.size(0)) : gathered;
  std::vector<std::int64_t> columns(places.size());
  std::iota(columns.begin(), columns.end(), 0);
  for (const part& of : parts(row_kind::layer))
    take(table, pick(logits(of, tile), of.first, places, columns));
}

// What the tiles have for the targets is looked at behind them: on a GPU a look at each would wait for it.
bool readout_stack::run_tiles(const readout_stage& stage, row_table& table,
                              std::span<const site_target> targets, row_kind kind) const {
  const auto reducer = make_reducer(table, model_.device);
  std::vector<picked_logits> picked;
  auto id = static_cast<std::int64_t>(stage.first_id);
  for (const linear& tile : stage.tiles) {
    const std::int64_t width = tile.weight().size(0);
    std::vector<site_target> here;
    std::vector<std::int64_t> columns;
    for (const site_target& place : targets) {
      if (place.id < id || place.id >= id + width) continue;
      here.push_back(place);
      columns.push_back(place.id - id);
    }
    for (const part& of : parts(kind)) {
      const at::Tensor z = logits(of, tile);
      if (!here.empty()) picked.push_back(pick(z, of.first, here, columns));
      reducer->add(z, of.first, id, of.kind, plan_.wants_kl);
    }
    id += width;
  }
  reducer->finish();
  bool as_expected = true;
  for (const picked_logits& some : picked) as_expected &= take(table, some);
  return as_expected;
}

// The final rows by themselves, in a product of the shape that found their largest logits: they are the same
// to the bit.
std::vector<readout_stack::part> readout_stack::parts(row_kind kind) const {
  std::vector<part> out{{.first = 0,
                         .n = n_,
                         .first_product = 0,
                         .n_products = n_,
                         .kind = kind == row_kind::layer ? row_kind::final : kind}};
  const auto constant = static_cast<std::int64_t>(plan_.n_constant);
  const auto add = [&](std::int64_t first, std::int64_t n, std::int64_t n_products) {
    if (n_products > 0)
      out.push_back({.first = first,
                     .n = n,
                     .first_product = first,
                     .n_products = n_products,
                     .kind = row_kind::layer});
  };
  add(n_, n_varying_ - n_, n_varying_ - n_);
  add(n_varying_, constant * n_, constant);
  return out;
}

readout_stack::picked_logits readout_stack::pick(const at::Tensor& z, std::int64_t first,
                                                 std::span<const site_target> places,
                                                 const std::vector<std::int64_t>& columns) const {
  std::vector<std::int64_t> at(places.size());
  for (std::size_t c = 0; c < at.size(); ++c)
    at[c] = static_cast<std::int64_t>(places[c].site) * z.size(1) + columns[c];
  return {static_cast<std::size_t>(first / n_),
          {places.begin(), places.end()},
          z.view({-1, n_ * z.size(1)}).index_select(1, to_device(at, z.device()))};
}

bool readout_stack::take(row_table& table, const picked_logits& picked) {
  const at::Tensor here = picked.logits.to(at::kCPU).contiguous();
  const float* z = here.const_data_ptr<float>();
  bool equal = true;
  for (std::int64_t r = 0; r < here.size(0); ++r)
    for (const site_target& place : picked.places)
      equal &= table.take_logit((picked.plan_row + static_cast<std::size_t>(r)) * table.n_sites + place.site,
                                place.k, *z++);
  return equal;
}

}  // namespace depthlens::torch_backend
