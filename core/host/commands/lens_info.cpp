// SPDX-License-Identifier: Apache-2.0
// depthlens lens info: what a lens file holds, and whether it belongs to a model.
#include "commands/lens_commands.hpp"

#include "depthlens/base/json.hpp"
#include "depthlens/files/torch_file.hpp"
#include "model/lens.hpp"
#include "model/lens_match.hpp"
#include "model/opened_model.hpp"

#include <algorithm>
#include <iostream>

namespace depthlens {
namespace {

namespace po = boost::program_options;

struct lens_size {
  std::uint32_t n_layers, d_model;
};

// Of the model that a Jacobian lens is for: J may leave blocks out, but has one for the last but one.
std::uint64_t layers_of(const torch_file& file) {
  std::int64_t last = -1;
  const pickle_view root = file.root();
  if (root.kind() != pickle_kind::dict) return 0;
  for (std::size_t i = 0; i < root.size(); i += 2) {
    const pickle_view matrices = root.item(i + 1);
    if (root.item(i).node().text != "J" || matrices.kind() != pickle_kind::dict) continue;
    for (std::size_t k = 0; k < matrices.size(); k += 2)
      if (const pickle_node& layer = matrices.item(k).node(); layer.kind == pickle_kind::integer)
        last = std::max(last, layer.integer);
  }
  return last < 0 || last > std::int64_t{1} << 20 ? 0 : static_cast<std::uint64_t>(last) + 2;
}

// Of the models a lens is for, as its files say.
lens_size size_of(const lens_spec& spec) {
  constexpr std::uint64_t most = 1u << 20;
  std::uint64_t layers = 0, width = 0;
  if (spec.kind == lens_kind::tuned) {
    const json_document json = json_document::from_file(spec.path / "config.json", {.max_bytes = 1u << 20});
    layers = json.root().require_u64("num_hidden_layers");
    width = json.root().require_u64("d_model");
  } else if (spec.kind == lens_kind::jacobian) {
    const torch_file file(spec.path);
    for (const auto& [node, tensor] : file.tensors())
      if (tensor.view.shape.size() == 2) width = tensor.view.shape[0];
    layers = layers_of(file);
  } else {
    fail(status::usage, "the logit lens has no file; say which model with --model");
  }
  if (layers == 0 || layers > most || width == 0 || width > most)
    fail(status::data, spec.path.string(), ": a lens for ", layers, " layers of width ", width);
  return {static_cast<std::uint32_t>(layers), static_cast<std::uint32_t>(width)};
}

void print_info(const lens_spec& spec, const lens_file& lens, std::uint32_t width) {
  constexpr const char* kinds[] = {"logit", "tuned", "jacobian"};
  const bool input = spec.kind == lens_kind::tuned && !spec.published_alignment;
  std::cout << "kind         " << kinds[static_cast<int>(spec.kind)]
            << (spec.published_alignment ? "@seed" : "") << "\nlayers       ";
  const char* between = "";
  for (const dlens_transport& t : lens.transports()) {
    // The model's own output needs nothing of the file.
    if (spec.kind != lens_kind::logit && t.form == DLENS_TRANSPORT_IDENTITY) continue;
    std::cout << between << t.layer;
    between = " ";
  }
  std::cout << "\npoint        " << (input ? "input of a block" : "output of a block") << "\nwidth        "
            << width << '\n';
  const lens_about& about = lens.about();
  if (!about.file.empty())
    std::cout << "file         " << about.file.string() << "\ndtype        " << about.dtype
              << "\nsha256       " << lens.sha256() << '\n';
  if (about.model) std::cout << "trained for  " << printable(*about.model) << '\n';
  if (about.target_layer) std::cout << "target       block " << *about.target_layer << '\n';
  if (about.n_prompts) std::cout << "prompts      " << *about.n_prompts << '\n';
  if (about.unembed_hash) std::cout << "hash         " << printable(*about.unembed_hash) << '\n';
}

}  // namespace

int lens_info_command(const arguments& args) {
  po::options_description d("Options");
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  d.add_options()("which", text("LENS"), "[LABEL:]tuned=DIR[@seed] or [LABEL:]jacobian=FILE (given first)");
  add_model_option(d);
  add_force_lens(d);
  add_ignore_config(d);
  d.add(common_options());
  const parsed_options o =
      parse_options(args, "usage: depthlens lens info LENS [--model M [OPTION...]]\n", d, {{"which", 1}});
  if (o.done) return 0;
  if (!o.has("which")) fail(status::usage, "lens info needs a LENS");
  const lens_spec spec = parse_lens(o.text("which"));
  if (!o.has("model")) {
    if (o.has("ignore-config") || o.values["force-lens"].as<bool>())
      fail(status::usage, "--ignore-config and --force-lens are about a model: say which with --model");
    const lens_size size = size_of(spec);
    print_info(spec, lens_file(spec, size.n_layers, size.d_model), size.d_model);
    return 0;
  }
  const opened_model model =
      opened_model::open(o.text("model"), bos_policy::automatic, "", ignored_config(o));
  const architecture& a = model.files->arch();
  const lens_file lens(spec, a.n_layers, a.d_model);
  print_info(spec, lens, a.d_model);
  std::cout << "unembedding  " << match_lens(spec, lens, *model.files, o.values["force-lens"].as<bool>())
            << '\n';
  return 0;
}

}  // namespace depthlens
