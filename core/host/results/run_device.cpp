// SPDX-License-Identifier: Apache-2.0
#include "results/run_device.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "results/manifest.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <cctype>

namespace depthlens {

std::string device_class(std::string_view device) {
  std::vector<std::string> parts;  // "cuda:0 (A) + cuda:1 (A)" is one class of device
  const auto comma = device.find(", ");
  std::string_view names = device.substr(0, comma);
  while (!names.empty()) {
    const auto plus = names.find(" + ");
    std::string one(names.substr(0, plus));
    const auto colon = one.find(':');
    if (colon != std::string::npos) {
      std::size_t end = colon + 1;
      while (end < one.size() && std::isdigit(static_cast<unsigned char>(one[end])) != 0) ++end;
      if (end > colon + 1) one.erase(colon, end - colon);
    }
    if (std::find(parts.begin(), parts.end(), one) == parts.end()) parts.push_back(std::move(one));
    names = plus == std::string_view::npos ? std::string_view() : names.substr(plus + 3);
  }
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : " + ") + p;
  return comma == std::string_view::npos ? out : out + std::string(device.substr(comma));
}

std::vector<std::string> devices_of(const boost::json::object& manifest) {
  std::vector<std::string> out;
  const auto* backend = object_at(&manifest, "backend");
  if (const auto* list = array_at(backend, "devices"))
    for (const auto& d : *list)
      if (d.is_string()) out.emplace_back(d.get_string());
  // A manifest may name a device and have no list, or, where it was edited, a list without that device: then
  // what it names counts.
  const auto last = text_at(backend, "device");
  if (last && std::find(out.begin(), out.end(), *last) == out.end()) out = {*last};
  return out;
}

std::vector<std::string> take_device(const boost::json::object& manifest, std::string_view device,
                                     mixed_devices mixed, const std::filesystem::path& folder) {
  std::vector<std::string> known = devices_of(manifest);
  const std::string mine = device_class(device);
  const bool again =
      std::any_of(known.begin(), known.end(), [&](const std::string& d) { return device_class(d) == mine; });
  if (again) return known;
  if (!known.empty()) {
    const auto kind = [](std::string_view d) { return d.substr(0, d.find_first_of(":, ")); };
    const std::string_view was = kind(known.back());
    std::string before;
    for (const std::string& d : known) before += (before.empty() ? "" : "; ") + visible_line(d);
    const std::string what =
        was == kind(device)
            ? cat(folder.string(), " holds a run on the device ", before, ", not ", visible_line(device))
            : cat(folder.string(), " holds a run on the device ", visible_line(was), ", not ",
                  visible_line(kind(device)), " (", before, "; here ", visible_line(device), ")");
    if (mixed == mixed_devices::refused)
      fail(status::config, what,
           ", and their last bits may differ; go on on that device, choose another --out, --fresh to move it "
           "aside, or --allow-mixed-devices");
    log_warning(cat(what, "; run.json says which records are of which (--allow-mixed-devices)"));
  }
  known.emplace_back(device);
  return known;
}

std::string backend_word(const boost::json::object& manifest, const std::string& asked) {
  return asked == "auto" ? text_at(object_at(&manifest, "key"), "backend").value_or(asked) : asked;
}

void take_model(running_model& model, mixed_devices mixed, const std::filesystem::path& folder,
                boost::json::object& manifest) {
  const std::vector<std::string> devices = take_device(manifest, model.info().device, mixed, folder);
  model.check();
  manifest["self_check"] = model.checks();
  boost::json::object about = model.describe();
  about["devices"] = boost::json::value_from(devices);
  manifest["backend"] = std::move(about);
}

void device_records::add(const entry& e) {
  const std::string device = !e.device() ? "not recorded" : visible(*e.device());
  if (e.device() && device.empty()) return;  // nothing was computed for it
  std::vector<range>& all = by_device_[device][e.key().set];
  const std::uint64_t index = e.key().index;
  if (!all.empty() && all.back().last + 1 == index)
    all.back().last = index;
  else
    all.push_back({index, index});
}

boost::json::object device_records::ranges() const {
  boost::json::object out;
  for (const auto& [device, sets] : by_device_) {
    boost::json::object by_set;
    for (const auto& [set, all] : sets) {
      std::string text;
      for (const range& r : all)
        text += cat(text.empty() ? "" : ",", r.first, r.first == r.last ? "" : cat('-', r.last));
      by_set[set] = text;
    }
    out[device] = std::move(by_set);
  }
  return out;
}

}  // namespace depthlens
