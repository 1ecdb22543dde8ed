// SPDX-License-Identifier: Apache-2.0
// depthlens models M: what a model file or folder holds, also where it cannot be run.
#include "commands/cached_models.hpp"
#include "commands/command.hpp"

#include "depthlens/base/hash.hpp"
#include "depthlens/base/json_members.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/blocks.hpp"
#include "depthlens/model/hf_cache.hpp"
#include "depthlens/model/model_files.hpp"
#include "depthlens/model/model_name.hpp"
#include "terminal/log.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <optional>
#include <sstream>

namespace depthlens {
namespace {

// SHA-256 of the values as float32, little-endian, row by row; nothing for types that are not decoded.
std::optional<std::string> value_hash(const tensor_view& t) {
  if (t.type == dtype::other) return std::nullopt;
  std::uint64_t values = 1;
  for (const std::uint64_t n : t.shape) values *= n;
  const std::uint64_t row = t.shape.empty() ? 1 : t.shape.back();
  const auto block = block_size(t.type);
  sha256_stream hash;
  // Whole blocks of one row at a time; rows hold whole blocks.
  constexpr std::uint64_t part_bytes = 1u << 16;
  std::vector<float> buffer;
  for (std::uint64_t done = 0; done < values;) {
    const std::uint64_t in_row = row - done % row;
    const std::uint64_t n = std::min(in_row, part_bytes / block.values * block.values);
    buffer.resize(n);
    dequantize(t.type, t.data + done / block.values * block.bytes, n, buffer.data());
    hash.update(std::string_view(reinterpret_cast<const char*>(buffer.data()), n * sizeof(float)));
    done += n;
  }
  return hash.finish();
}

const char* name_of(activation_kind kind) {
  switch (kind) {
    case activation_kind::silu:
      return "silu";
    case activation_kind::gelu:
      return "gelu";
    case activation_kind::gelu_tanh:
      return "gelu_tanh";
    case activation_kind::relu:
      return "relu";
    case activation_kind::clamped:
      return "clamped";
  }
  return "";
}

const char* name_of(block_form f) {
  return f == block_form::parallel ? "parallel" : f == block_form::norm_after ? "norm after" : "sequential";
}

// of(block) for every block: one value where all are alike, else a list.
template <class Function>
boost::json::value of_blocks(const architecture& a, const Function& of) {
  boost::json::array all;
  for (const block_part& b : a.blocks) all.push_back(of(b));
  for (const boost::json::value& one : all)
    if (one != all.front()) return all;
  return all.front();
}

// of(attention) for every block that has it.
template <class Function>
boost::json::value of_attention(const architecture& a, const Function& of) {
  return of_blocks(a, [&](const block_part& b) {
    return b.attention ? boost::json::value(of(*b.attention)) : boost::json::value(nullptr);
  });
}

const char* mixer_of(const block_part& b) {
  if (b.delta) return "delta rule";
  return b.attention->kv_rank > 0 ? "latent attention" : "attention";
}

void describe_experts(const architecture& a, boost::json::object& o) {
  const auto has = [](const block_part& b) { return b.experts.has_value(); };
  const auto first = std::find_if(a.blocks.begin(), a.blocks.end(), has);
  if (first == a.blocks.end()) return;
  o["experts"] = first->experts->n_experts;
  o["experts_used"] = first->experts->n_used;
  o["expert_d_ff"] = first->experts->d_ff;
  if (first->experts->d_shared > 0) o["shared_expert_d_ff"] = first->experts->d_shared;
  o["layers_with_experts"] = std::count_if(a.blocks.begin(), a.blocks.end(), has);
}

// What the model is put together from; what most models do without is left out where it is.
void describe_parts(const architecture& a, boost::json::object& o) {
  o["norm"] = a.norm == norm_kind::rms ? "rms" : "layer";
  o["norm_eps"] = a.norm_eps;
  o["activation"] = name_of(a.blocks[0].activation);
  o["blocks"] = name_of(a.blocks[0].form);
  const boost::json::value mixers = of_blocks(a, [](const block_part& b) { return mixer_of(b); });
  if (mixers != "attention") o["mixers"] = mixers;
  o["rope_dims"] = of_attention(a, [](const attention_part& t) { return t.rope_dims; });
  const boost::json::value scales = of_attention(a, [](const attention_part& t) { return t.rope_scale; });
  if (scales != 1.0) o["rope_scale"] = scales;
  if (a.norm_offset != 0) o["norm_offset"] = a.norm_offset;
  if (a.embed_scale != 1) o["embed_scale"] = a.embed_scale;
  o["attention_scale"] = of_attention(a, [](const attention_part& t) { return t.scale; });
  const boost::json::value caps = of_attention(a, [](const attention_part& t) { return t.softcap; });
  if (caps != 0.0) o["attention_softcap"] = caps;
  if (a.final_softcap != 0) o["final_softcap"] = a.final_softcap;
  if (a.logit_scale != 1) o["logit_scale"] = a.logit_scale;
  describe_experts(a, o);
  boost::json::array windows;
  for (const block_part& b : a.blocks) windows.push_back(b.attention ? b.attention->window : 0);
  const auto is_window = [](const boost::json::value& w) { return w != 0; };
  if (std::any_of(windows.begin(), windows.end(), is_window)) o["windows"] = std::move(windows);
}

boost::json::object describe_architecture(const architecture& a) {
  boost::json::object o;
  o["family"] = a.family;
  o["n_layers"] = a.n_layers;
  o["d_model"] = a.d_model;
  o["n_heads"] = of_attention(a, [](const attention_part& t) { return t.n_heads; });
  o["n_kv_heads"] = of_attention(a, [](const attention_part& t) { return t.n_kv_heads; });
  o["head_dim"] = of_attention(a, [](const attention_part& t) { return t.head_dim; });
  o["d_ff"] = of_blocks(a, [](const block_part& b) { return b.d_ff; });
  o["vocab_size"] = a.vocab_size;
  o["max_positions"] = a.max_positions;
  o["tied"] = a.tied;
  describe_parts(a, o);
  return o;
}

boost::json::object describe_tensor(const raw_tensor& t, bool with_hash) {
  boost::json::object o;
  o["name"] = visible(t.view->name);
  o["dtype"] = t.type_name;
  boost::json::array shape;
  for (const std::uint64_t n : t.view->shape) shape.push_back(n);
  o["shape"] = std::move(shape);
  if (with_hash) {
    if (auto hash = value_hash(*t.view))
      o["sha256"] = *hash;
    else
      o["sha256"] = nullptr;
  }
  return o;
}

std::string shape_of(const tensor_view& t) {
  std::string out;
  for (const std::uint64_t n : t.shape) out += (out.empty() ? "" : " x ") + std::to_string(n);
  return out.empty() ? "scalar" : out;
}

void print_text(const boost::json::object& o, const model_files& files, bool tensors) {
  for (const auto& [key, value] : o) {
    if (key == "tensors") continue;
    if (value.is_object()) {
      for (const auto& [k, v] : value.get_object())
        std::cout << "  " << k << ": " << boost::json::serialize(v) << '\n';
    } else if (value.is_string()) {
      std::cout << key << ": " << std::string_view(value.get_string()) << '\n';
    } else {
      std::cout << key << ": " << boost::json::serialize(value) << '\n';
    }
  }
  if (!tensors) return;
  std::size_t i = 0;
  for (const raw_tensor& t : files.raw_tensors()) {
    std::cout << visible(t.view->name) << "  " << t.type_name << "  " << shape_of(*t.view);
    if (const auto hash = text_at(&o.at("tensors").get_array()[i++].get_object(), "sha256"))
      std::cout << "  " << *hash;
    std::cout << '\n';
  }
}

std::string readable_size(std::uint64_t bytes) {
  std::ostringstream out;
  constexpr double mega = 1e6, giga = 1e9;
  const auto b = static_cast<double>(bytes);
  out << std::fixed << std::setprecision(1) << (b >= giga ? b / giga : b / mega)
      << (b >= giga ? " GB" : " MB");
  return out.str();
}

// What `hf download` has left on this machine.
void list_cache(bool json) {
  const std::filesystem::path cache = hf_cache_folder();
  const std::vector<cached_model> models = cached_models(cache);
  boost::json::array list;
  std::size_t widest = 0;
  for (const cached_model& m : models) {
    list.push_back({{"name", visible(m.name)}, {"bytes", m.bytes}, {"note", visible(m.note)}});
    widest = std::max(widest, m.name.size());
  }
  if (json) {
    std::cout << boost::json::serialize(list) << '\n';
    return;
  }
  for (const cached_model& m : models) {
    const std::string size = readable_size(m.bytes);
    std::cout << visible_line(m.name) << std::string(widest - m.name.size() + 2, ' ')
              << std::string(size.size() < 9 ? 9 - size.size() : 0, ' ') << size
              << (m.note.empty() ? "" : "  " + visible_line(m.note)) << '\n';
  }
  if (models.empty()) std::cout << "no models in " << visible_line(cache.string()) << '\n';
}

}  // namespace

int models_command(const arguments& args) {
  namespace po = boost::program_options;
  po::options_description d("Options");
  add_model_option(d, "folder, file.gguf or [org/]name (also without --model)");
  d.add_options()("tensors", po::bool_switch(), "list every tensor")(
      "hash", po::bool_switch(), "with --tensors: SHA-256 of the values as float32")(
      "json", po::bool_switch(), "JSON");
  add_ignore_config(d);
  d.add(common_options());
  const parsed_options o =
      parse_options(args,
                    "usage: depthlens models M [--tensors [--hash]] [--ignore-config KEY] [--json]\n"
                    "       depthlens models [--json]    the models in the local Hugging Face cache\n",
                    d, {{"model", 1}});
  if (o.done) return 0;
  const bool tensors = o.values["tensors"].as<bool>(), hash = o.values["hash"].as<bool>();
  if (!o.has("model")) {
    if (tensors || hash || o.has("ignore-config"))
      fail(status::usage, "--tensors, --hash and --ignore-config are about a model: name one");
    list_cache(o.values["json"].as<bool>());
    return 0;
  }
  if (hash && !tensors) fail(status::usage, "--hash needs --tensors");

  const std::filesystem::path path = resolve_model(o.text("model")).path;
  const model_files raw = model_files::open_raw(path);
  boost::json::object out;
  out["path"] = visible(path.string());
  out["kind"] = raw.kind() == model_kind::gguf ? "gguf" : "folder";
  out["architecture"] = raw.architecture_name();
  try {
    out["hyperparameters"] = describe_architecture(model_files::open(path, ignored_config(o)).arch());
    out["runs"] = true;
  } catch (const error& e) {
    if (e.code() == status::usage) throw;
    out["runs"] = false;
    out["reason"] = e.what();
  }
  out["n_tensors"] = raw.raw_tensors().size();
  if (tensors) {
    boost::json::array list;
    for (const raw_tensor& t : raw.raw_tensors()) list.push_back(describe_tensor(t, hash));
    out["tensors"] = std::move(list);
  }
  if (o.values["json"].as<bool>())
    std::cout << boost::json::serialize(out) << '\n';
  else
    print_text(out, raw, tensors);
  return 0;
}

}  // namespace depthlens
