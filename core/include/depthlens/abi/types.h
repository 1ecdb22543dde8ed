// SPDX-License-Identifier: Apache-2.0
// Plain data of the plugin interface: status and error, texts, values, tensors, options, tables and figures.
//
// Rules for every header of this folder:
//  - C11, fixed-width types, no padding, UTF-8 texts; includes only <stddef.h> and <stdint.h>.
//  - `size` comes first in every struct that may grow: its provider writes sizeof(it), its reader asks
//    DLENS_HAS for every member that was added after the struct's first form. New members stand at the tail.
//  - Only dlens_text, dlens_pair, dlens_value and dlens_word have no size: they never grow and may stand in
//    arrays.
//  - What is called reserved is 0, and so are bits of flags that have no name here: the host refuses others,
//    so that they can get a meaning.
//  - No memory changes owner: who creates destroys, hosts copy what they keep, results land in the caller's
//    buffers.
//  - A received pointer is valid during the call unless its comment says until when.
//  - Thread tags: [main] one thread, never concurrently; [worker] any thread, concurrently on the same object
//    too; [any] both.
#ifndef DLENS_ABI_TYPES_H
#define DLENS_ABI_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define DLENS_ASSERT(what) static_assert(what, #what)
extern "C" {
#else
#define DLENS_ASSERT(what) _Static_assert(what, #what)
#endif

// For the one symbol of a plugin; the rest of it is best compiled with -fvisibility=hidden.
#define DLENS_EXPORT __attribute__((visibility("default")))

// Is `member` inside what the provider of *ptr knows?
#define DLENS_HAS(type, ptr, member) ((ptr)->size >= offsetof(type, member) + sizeof((ptr)->member))

// 0 is success. Other values are those of sysexits.h and end the program with that exit code; a value that
// has no name here counts as DLENS_INTERNAL. On an error the other results of a call are left as they were.
typedef int32_t dlens_status;
enum {
  DLENS_OK = 0,
  DLENS_USAGE = 64,          // the command line is wrong
  DLENS_DATA = 65,           // an input file is corrupt or not of the expected form
  DLENS_NO_INPUT = 66,       // an input file does not exist
  DLENS_UNAVAILABLE = 69,    // a device, library or plugin is not available, or memory does not do
  DLENS_INTERNAL = 70,       // a mistake of the program or of a plugin
  DLENS_CANNOT_CREATE = 73,  // an output cannot be created
  DLENS_IO = 74,             // reading or writing failed
  DLENS_CANCELLED = 75,      // ended early because dlens_host.should_stop said so
  DLENS_NO_PERMISSION = 77,
  DLENS_CONFIG = 78  // the request conflicts with what is there
};

// Filled by a function that returns another status than DLENS_OK. Owned by the caller.
typedef struct dlens_error {
  uint32_t size;
  dlens_status code;
  char message[1016];  // one line, UTF-8, NUL-terminated, cut at a character where it is too long
} dlens_error;

typedef struct dlens_text {
  const char *data;  // not NUL-terminated
  uint64_t size;     // bytes
} dlens_text;

typedef struct dlens_pair {
  dlens_text key;
  dlens_text value;
} dlens_pair;

enum {
  DLENS_NULL = 0,  // an empty field
  DLENS_I64 = 1,
  DLENS_F64 = 2,  // printed as the shortest text that reads back as this double
  DLENS_F32 = 3,  // held in f64, printed as the shortest text that reads back as this float
  DLENS_TEXT = 4
};

typedef struct dlens_value {
  uint32_t type;  // DLENS_NULL ... DLENS_TEXT
  uint32_t reserved;
  union {
    int64_t i64;
    double f64;
    dlens_text text;
  } as;
} dlens_value;

// Element and block types of weights; the numbers of depthlens::dtype.
enum {
  DLENS_DTYPE_F32 = 0,
  DLENS_DTYPE_F16 = 1,
  DLENS_DTYPE_BF16 = 2,
  DLENS_DTYPE_Q4_0 = 3,
  DLENS_DTYPE_Q4_1 = 4,
  DLENS_DTYPE_Q5_0 = 5,
  DLENS_DTYPE_Q5_1 = 6,
  DLENS_DTYPE_Q8_0 = 7,
  DLENS_DTYPE_Q2_K = 8,
  DLENS_DTYPE_Q3_K = 9,
  DLENS_DTYPE_Q4_K = 10,
  DLENS_DTYPE_Q5_K = 11,
  DLENS_DTYPE_Q6_K = 12,
  DLENS_DTYPE_IQ4_NL = 13,
  DLENS_DTYPE_IQ4_XS = 14,
  DLENS_DTYPE_MXFP4 = 15
};

// A named read-only view of a weight tensor as it lies in the model file, possibly a part of a fused or
// transposed one. Element (r, c) of a matrix is element
//   ((r / row_group) * group_stride + r % row_group) * row_stride + c * column_stride
// counted from `data`; quantised blocks run along a row, whose column_stride is then 1 and whose row_stride
// is a multiple of the block. A vector is one column: c = 0. A plain matrix of R rows and C columns has
// row_group = R, group_stride = R, row_stride = C, column_stride = 1; a plain vector row_stride = 1.
typedef struct dlens_tensor {
  uint32_t size;
  uint32_t dtype;
  dlens_text name;
  uint64_t n_dims;                     // 1 or 2
  uint64_t shape[4];                   // logical: (rows), or (rows, columns)
  const void *data;                    // may be unaligned; valid as long as the model that was made from it
  uint64_t bytes;                      // from data to the end of the last element that is part of the view
  uint64_t row_group, group_stride;    // rows
  uint64_t row_stride, column_stride;  // elements
} dlens_tensor;

enum {
  DLENS_OPTION_BOOL = 1,
  DLENS_OPTION_I64 = 2,
  DLENS_OPTION_F64 = 3,
  DLENS_OPTION_TEXT = 4,
  DLENS_OPTION_CHOICE = 5,
  DLENS_OPTION_FILE = 6  // the host checks that it can be read and puts its content hash in the manifest
};

// An option as its plugin declares it; the host parses, checks and documents it.
typedef struct dlens_option {
  uint32_t size;
  uint32_t type;
  const char *id;              // [a-z0-9-]+, given as --EXPERIMENT.id or --id
  const char *help;            // one sentence
  const char *fallback;        // the default, as text; NULL = none (a FILE that may be absent)
  const char *const *choices;  // NULL-terminated for DLENS_OPTION_CHOICE, else NULL
  double min, max;             // for numbers; min > max = no bounds
} dlens_option;

typedef struct dlens_column {
  uint32_t size;
  uint32_t type;     // DLENS_I64, DLENS_F64, DLENS_F32 or DLENS_TEXT: what its values are unless DLENS_NULL
  const char *id;    // the name in the first line of the CSV
  const char *help;  // one sentence with the unit
} dlens_column;

enum {
  DLENS_TABLE_SHARED = 1,  // the same for every lens: written once, its file name has no {lens}
  DLENS_TABLE_SUMMARY = 2  // rows come from finish, not from consume
};

typedef struct dlens_table {
  uint32_t size;
  uint32_t flags;
  const char *id;  // unique within its study, kept in the record log: stable between versions
  // CSV file name without ".csv". The host replaces {lens} and {name}, and {_lens} by "" for the label logit
  // and by "_label" for others. As published figures are named: {Lens} by LogitLens and TunedLens for the
  // labels logit and tuned, {False} by "False" and "" for them, both by the label for others.
  const char *file;
  const dlens_column *const *columns;
  uint64_t n_columns;
} dlens_table;

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
  DLENS_PANEL_REVERSED_Y = 32
};

// One panel of a figure: which columns of its table it draws.
typedef struct dlens_panel {
  uint32_t size;
  uint32_t flags;     // DLENS_PANEL_LOG_X ...
  const char *title;  // may be ""
  const char *x, *y;  // column ids; y is NULL for densities
  const char *x_label, *y_label;
  const char *where;  // "column=value": only these rows; NULL = all
} dlens_panel;

enum {
  DLENS_DRAW_TRAINED_LENS = 1  // not drawn for the logit lens where the run has a tuned lens
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
  uint32_t flags;  // DLENS_DRAW_TRAINED_LENS
  uint32_t reserved;
  // Column with what y would be of the text alone, drawn beside the controls; NULL = none.
  const char *baseline;
} dlens_figure;

// What may never change: sizes of what has no size, and where the first forms of the others end.
DLENS_ASSERT(sizeof(void *) == 8);
DLENS_ASSERT(sizeof(dlens_error) == 1024);
DLENS_ASSERT(sizeof(dlens_text) == 16);
DLENS_ASSERT(sizeof(dlens_pair) == 32);
DLENS_ASSERT(sizeof(dlens_value) == 24);
DLENS_ASSERT(offsetof(dlens_option, max) == 48);
DLENS_ASSERT(offsetof(dlens_column, help) == 16);
DLENS_ASSERT(offsetof(dlens_table, n_columns) == 32);
DLENS_ASSERT(offsetof(dlens_panel, where) == 48);
DLENS_ASSERT(offsetof(dlens_figure, baseline) == 104);

#ifdef __cplusplus
}
#endif

#endif
