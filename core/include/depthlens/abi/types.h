// SPDX-License-Identifier: Apache-2.0
// Plain data of the plugin interface: status and error, texts, values, tensors, options and tables.
//
// Rules for every header of this folder:
//  - C11, fixed-width types, no padding, UTF-8 texts; includes only <stddef.h> and <stdint.h>.
//  - `size` comes first in every struct that may grow: its provider writes sizeof(it), its reader asks
//    DLENS_HAS for every member that was added after the struct's first form. New members stand at the tail,
//    and 0 there means what was so before. Where members change numbers (dlens_architecture, dlens_weights,
//    dlens_model_options, dlens_transport, dlens_batch, dlens_read), a reader refuses a tail that it does not
//    know unless it is all 0; elsewhere it passes over it.
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

// Does the provider of a struct that changes numbers ask for what this side does not know? *ptr is of `type`.
#define DLENS_ASKS_MORE(type, ptr) dlens_asks_more((ptr), (ptr)->size, sizeof(type))
static inline int dlens_asks_more(const void *given, uint32_t size, size_t known) {
  int asked = 0;
  for (size_t i = known; i < size; ++i) asked |= ((const unsigned char *)given)[i];
  return asked != 0;
}

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

// Element and block types of weights. All numbers are given out here; who meets another refuses the tensor.
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
  DLENS_DTYPE_MXFP4 = 15,
  // Blocks of 32 in 16 bytes, neighbours in a byte, the first of both in its low half; the power of two of
  // each block is a byte of `scales`.
  DLENS_DTYPE_MXFP4_PAIRS = 16
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
  const void *scales;  // of DLENS_DTYPE_MXFP4_PAIRS: block b counted from `data` has byte b; else NULL
  uint64_t scale_bytes;
} dlens_tensor;

enum {
  DLENS_OPTION_BOOL = 1,
  DLENS_OPTION_I64 = 2,
  DLENS_OPTION_F64 = 3,
  DLENS_OPTION_TEXT = 4,
  DLENS_OPTION_CHOICE = 5,
  DLENS_OPTION_FILE = 6  // the host checks that it can be read and puts its content hash in the manifest
};

enum {
  DLENS_GIVEN_REPEATEDLY = 1  // the user may give it several times; each time is a value of its own
};

// An option as its plugin declares it; the host parses, checks and documents it.
typedef struct dlens_option {
  uint32_t size;
  uint32_t type;
  const char *id;              // [a-z0-9-]+, given as --EXPERIMENT.id or --id
  const char *help;            // one sentence
  const char *fallback;        // the default, as text; NULL = none (a FILE that may be absent)
  const char *const *choices;  // NULL-terminated for DLENS_OPTION_CHOICE, else NULL
  double min, max;             // of an F64; min >= max = no bounds
  int64_t least, most;         // of an I64; least >= most = no bounds
  uint32_t flags;              // DLENS_GIVEN_REPEATEDLY
  uint32_t reserved;
} dlens_option;

typedef struct dlens_column {
  uint32_t size;
  uint32_t type;     // DLENS_I64, DLENS_F64, DLENS_F32 or DLENS_TEXT: what its values are unless DLENS_NULL
  const char *id;    // the name in the first line of the CSV
  const char *help;  // one sentence with the unit
} dlens_column;

// How a state h is changed by a vector v.
enum {
  DLENS_EDIT_REPLACE = 1,  // h = v
  DLENS_EDIT_ADD = 2       // h += v
};

enum {
  DLENS_TABLE_SHARED = 1,  // the same for every lens: written once, its file name has no {lens}
  DLENS_TABLE_SUMMARY = 2  // rows come from finish, not from consume
};

typedef struct dlens_table {
  uint32_t size;
  uint32_t flags;
  const char *id;  // unique within its study, kept in the record log: stable between versions
  // CSV file name without ".csv". The host replaces {lens} by the label of the lens, {name} by the name of
  // the model, and {_lens} by "" for the label logit and by "_label" for others.
  const char *file;
  const dlens_column *const *columns;
  uint64_t n_columns;
} dlens_table;

// What may never change: sizes of what has no size, and where the first forms of the others end.
DLENS_ASSERT(sizeof(void *) == 8);
DLENS_ASSERT(sizeof(dlens_error) == 1024);
DLENS_ASSERT(sizeof(dlens_text) == 16);
DLENS_ASSERT(sizeof(dlens_pair) == 32);
DLENS_ASSERT(sizeof(dlens_value) == 24);
DLENS_ASSERT(offsetof(dlens_option, reserved) == 76);
DLENS_ASSERT(offsetof(dlens_column, help) == 16);
DLENS_ASSERT(offsetof(dlens_table, n_columns) == 32);

#ifdef __cplusplus
}
#endif

#endif
