// SPDX-License-Identifier: Apache-2.0
// Helpers of the tests that draw: small figures over small tables, and what must lie in a folder afterwards.
#pragma once

#include "figures/draw.hpp"

#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace depthlens::test {

inline const std::vector<std::string> all_formats = {"png", "svg", "pdf"};

// The decorator of tests that need the program: without it they are reported as skipped.
inline boost::test_tools::assertion_result with_gnuplot(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(gnuplot_available());
  if (!result) result.message() << "there is no gnuplot";
  return result;
}

inline figure_spec simple_figure(figure_kind kind) {
  figure_spec figure;
  figure.kind = kind;
  figure.id = figure.file = figure.table = "f";
  figure.title = "A figure";
  figure.series = "category";
  panel_spec panel;
  panel.x = "layer";
  panel.y = kind == figure_kind::density ? "" : "y";
  panel.flags = DLENS_PANEL_LAYER_X;
  if (kind != figure_kind::density) panel.flags |= DLENS_PANEL_PERCENT_Y;
  panel.x_label = "Layer";
  panel.y_label = "Share";
  figure.panels = {panel};
  return figure;
}

inline const figure_run simple_run = {"tiny", "logit", 12, 2};
inline const char* const simple_csv = "category,layer,y\na,0,0.25\nb,0,0.75\na,1,0.5\nb,1,\na,2,1\nb,2,0\n";

inline std::set<std::string> names_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.insert(entry.path().filename().string());
  return names;
}

// The beginning of each format.
inline void check_is_picture(const std::filesystem::path& path) {
  const std::string bytes = read_bytes(path), extension = path.extension().string();
  BOOST_TEST(bytes.size() > 1000U);
  if (extension == ".png") BOOST_TEST(bytes.starts_with("\x89PNG\r\n\x1A\n"));
  if (extension == ".pdf") BOOST_TEST(bytes.starts_with("%PDF-"));
  if (extension == ".svg") BOOST_TEST((bytes.starts_with("<?xml") && bytes.find("</svg>") != bytes.npos));
}

// An environment variable that has its former value again at the end.
class changed_variable {
 public:
  changed_variable(std::string name, const std::string& value) : name_(std::move(name)) {
    if (const char* const before = std::getenv(name_.c_str())) before_ = before;
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  ~changed_variable() {
    if (before_)
      ::setenv(name_.c_str(), before_->c_str(), 1);
    else
      ::unsetenv(name_.c_str());
  }
  changed_variable(const changed_variable&) = delete;
  changed_variable& operator=(const changed_variable&) = delete;

 private:
  std::string name_;
  std::optional<std::string> before_;
};

}  // namespace depthlens::test
