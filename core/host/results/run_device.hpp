// SPDX-License-Identifier: Apache-2.0
// Which backend and devices a run's readings are computed on. The last bits of a reading depend on
// instruction sets, libraries and GPU models, so one table is made on one of them unless the user allows
// others.
#pragma once

#include "log/record_log.hpp"
#include "model/running_model.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

enum class mixed_devices { refused, allowed };

// What of a backend's text about its device results depend on: not which of several GPUs of one model.
// "cuda:1 (NVIDIA A100), libtorch 2.3" -> "cuda (NVIDIA A100), libtorch 2.3"
std::string device_class(std::string_view device);

// The devices that run.json names, in the order in which they came to be used.
std::vector<std::string> devices_of(const boost::json::object& manifest);

// A run goes on on a device of a class that it names already; on another one only where that is allowed,
// with a warning. Otherwise status::config, naming both and the option. Returns the devices of the run from
// now on.
std::vector<std::string> take_device(const boost::json::object& manifest, std::string_view device,
                                     mixed_devices mixed, const std::filesystem::path& folder);

// The backend of a run: an existing one keeps its own where `asked` is "auto", a new one takes what can run
// here.
std::string backend_word(const boost::json::object& manifest, const std::string& asked);

// A model that was just loaded becomes that of the run in `folder`: its device is taken, it is checked, and
// the manifest gets "backend" and "self_check". Throws what take_device and running_model::check do. [main]
void take_model(running_model& model, mixed_devices mixed, const std::filesystem::path& folder,
                boost::json::object& manifest);

// Which records of each data set were computed on which device, while a log is read in order of its records.
class device_records {
 public:
  void add(const entry& e);
  std::size_t devices() const { return by_device_.size(); }
  // {device: {set: "0-99,120"}}; records of a log that does not say so are under "not recorded".
  boost::json::object ranges() const;

 private:
  struct range {
    std::uint64_t first, last;
  };
  std::map<std::string, std::map<std::string, std::vector<range>>> by_device_;
};

}  // namespace depthlens
