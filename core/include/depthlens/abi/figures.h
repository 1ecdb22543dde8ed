// SPDX-License-Identifier: Apache-2.0
// The interface "depthlens.figures/1", which a study may offer (dlens_study.get_extension): figures over its
// tables, which the host draws, and draws again when no plugin is there.
#ifndef DLENS_ABI_FIGURES_H
#define DLENS_ABI_FIGURES_H

#include "experiment.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DLENS_FIGURES_INTERFACE "depthlens.figures/1"

// Kinds of figures.
enum {
  DLENS_FIGURE_LINES = 1,         // y against x, a line for each series
  DLENS_FIGURE_STACKED_BARS = 2,  // y stacked over series, a bar for each x
  DLENS_FIGURE_GROUPED_BARS = 3,  // y beside each other for each series, a group for each x
  DLENS_FIGURE_DENSITY = 4        // gaussian kernel density of x for each series (Scott's bandwidth)
};
enum {
  DLENS_PANEL_LOG_X = 1,
  DLENS_PANEL_LOG_Y = 2,
  DLENS_PANEL_PERCENT_Y = 4,  // y is a share in 0..1, drawn as 0..100 %
  DLENS_PANEL_LAYER_X = 8,    // x is a layer: the axis spans 0..n
  DLENS_PANEL_MARKERS = 16,   // points on the lines
  DLENS_PANEL_REVERSED_Y = 32,
  DLENS_PANEL_INTERVAL_X = 64  // low and high are around x
};

// One panel of a figure: which columns of its table it draws.
typedef struct dlens_panel {
  uint32_t size;
  uint32_t flags;     // DLENS_PANEL_LOG_X ...
  const char *title;  // may be ""
  const char *x, *y;  // column ids; y is NULL for densities
  const char *x_label, *y_label;
  const char *where;  // "column=value": only these rows; NULL = all
  // Columns with the ends of an interval around y (DLENS_PANEL_INTERVAL_X: around x), drawn as a band behind
  // lines; of stacked bars around y and what is below it, drawn as a whisker; both or none (NULL).
  const char *low, *high;
} dlens_panel;

enum {
  DLENS_DRAW_TRAINED_LENS = 1,  // not drawn for the logit lens where the run has a tuned lens
  DLENS_DRAW_ORDERED = 2,       // series are steps of one thing: bars have one colour, from dark to light
  DLENS_DRAW_CONTROLLED_BASELINE = 4,  // the baseline is drawn beside a control only
  DLENS_DRAW_ON_REQUEST = 8  // a further view of what other figures show: drawn where a user asks for all
};

// A figure over one table, drawn by the host from the CSV alone. Series keep the order of their first rows.
typedef struct dlens_figure {
  uint32_t size;
  uint32_t kind;
  const char *id;
  const char *file;    // file name without extension; {lens}, {name} and so on as in dlens_table.file
  const char *title;   // what is shown; the host adds model, lens and number of prompts
  const char *table;   // id of the table it draws
  const char *series;  // column that names the series; NULL = one series
  const char *color;   // column whose values share a colour; NULL = the series itself
  const char *dash;    // column whose values share a dash pattern; NULL = solid
  const char *count;   // column with the number of prompts behind a series, for the legend; NULL = none
  const char *never;   // column with the number of prompts that never get there, for the legend; NULL = none
  const dlens_panel *const *panels;
  uint64_t n_panels;
  uint32_t flags;  // DLENS_DRAW_TRAINED_LENS | ...
  uint32_t reserved;
  // Column with what y would be of the text alone, drawn beside the controls; NULL = none.
  const char *baseline;
  // (n_lenses of the run) file names lens by lens, in place of `file`; NULL = none.
  const char *const *lens_files;
} dlens_figure;

typedef struct dlens_figures {
  uint32_t size;
  uint32_t reserved;
  // Asked for once, after describe. *figures is valid until the study is destroyed. [main]
  dlens_status (*list)(const dlens_study *, const dlens_figure *const **figures, uint64_t *n,
                       dlens_error *error);
} dlens_figures;

DLENS_ASSERT(offsetof(dlens_panel, high) == 64);
DLENS_ASSERT(offsetof(dlens_figure, lens_files) == 112);
DLENS_ASSERT(offsetof(dlens_figures, list) == 8);

#ifdef __cplusplus
}
#endif

#endif
