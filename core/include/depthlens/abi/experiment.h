// SPDX-License-Identifier: Apache-2.0
// The interface "depthlens.experiment/1": what to run for each record, and what to make of the readings.
//
// For each record the host calls plan, runs what was asked for, and calls plan again with the model's own
// top-1 at what it asked for, until it asks for nothing more (to go on after DLENS_MOST_ROUNDS times is an
// error); then it calls consume once for each lens and keeps the rows in the record log. At the end finish
// gets all rows of one lens in record order. plan and consume may depend on their arguments and on what
// study_create and survey left: a record can be planned on one thread and consumed on another, or in a later
// process. [main], [worker] and [any] are the threads that call: types.h says which those are, and who owns
// what.
//
// No experiment need look for NaN. Where a record's readings of a lens are not all finite, consume is called
// twice, first to see whether it would keep anything. Of its rows only those stay that go to a
// DLENS_TABLE_SHARED table with columns "kept" and "reason", as not kept, "not finite"; what it would keep is
// counted as that, and so is the record where consume returns an error.
#ifndef DLENS_ABI_EXPERIMENT_H
#define DLENS_ABI_EXPERIMENT_H

#include "host.h"
#include "names.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DLENS_EXPERIMENT_INTERFACE "depthlens.experiment/1"

// Which records an experiment takes under --data EXPERIMENT[.set]=FILE. The host picks the first kind that a
// reader can make of the file. The kinds, what gives them, and the fields of their records:
//   "prompt"    a row of JSON, JSONL, CSV or TSV: prompt; answer, text where given; further texts, integers
//               and booleans of the row; options (JSON only)
//   "fact"      MQuAKE, CounterFact: prompt, answer; other (the counterfactual answer), relation and case_id
//               where given
//   "sentence"  CoNLL-U: text, and the tagged words
//   "cut"       CoNLL-U or plain text, cut off at a random place: prompt, text (the paragraph)
// Facts and cuts may be left out (dlens_record.left_out).
typedef struct dlens_input {
  uint32_t size;
  uint32_t reserved;
  const char *set;           // "" = the bare key, "*" = any set, else this set
  const char *const *kinds;  // NULL-terminated
} dlens_input;

// A tagged word of a text: bytes begin..end-1 of the field "text".
typedef struct dlens_word {
  uint64_t begin, end;
  dlens_text tag;      // UPOS
  uint64_t continued;  // 1 for every word of a multiword token but its first
} dlens_word;

typedef struct dlens_record {
  uint32_t size;
  uint32_t dataset;  // which of dlens_run.datasets
  // From 0: among the whole records that a reader makes of the input, in its order (of a cut, the prompt's);
  // records that are left out are numbered after them.
  uint64_t index;
  const dlens_pair *fields;
  uint64_t n_fields;
  const dlens_word *words;
  uint64_t n_words;
  const dlens_text *options;  // the texts that a multiple choice row can be answered with, in its order
  uint64_t n_options;         // 0 = the row gives none
  // Why the input makes no whole record ("no answer"); size 0 = it is whole. A record that is left out comes
  // behind all whole ones. Of the functions of a study it reaches consume alone, which lists and counts it;
  // fields may be missing.
  dlens_text left_out;
} dlens_record;

typedef struct dlens_dataset {
  uint32_t size;
  uint32_t reserved;
  const char *set;   // what follows the dot of the data key, "" = nothing
  const char *kind;  // of its records
} dlens_dataset;

enum {
  DLENS_RUN_PUBLISHED = 1,   // --seed-compat: the published code's filters, alignment, file and column names
  DLENS_RUN_TARGET_GOLD = 2  // --target gold: rows are about the data's answer, not the model's final top-1
};

// The run a study belongs to. Valid as long as the study.
typedef struct dlens_run {
  uint32_t size;
  uint32_t n_layers;    // blocks: layers are 0..n_layers
  uint32_t vocab_size;  // V
  uint32_t max_positions;
  uint32_t flags;    // DLENS_RUN_PUBLISHED, DLENS_RUN_TARGET_GOLD
  uint32_t d_model;  // D
  uint32_t n_lenses;
  uint32_t n_datasets;
  const char *name;                // of the model in file names
  const char *const *lens_labels;  // (n_lenses)
  const dlens_dataset *const *datasets;
  const dlens_tokenizer *tokenizer;
  const dlens_host *host;
  // --generate: so many tokens are said behind each prompt, and read; 0 = none are. Only an experiment with
  // DLENS_EXPERIMENT_GENERATES gets another number.
  uint32_t generate;
  uint32_t reserved;
} dlens_run;

enum {
  // The residual stream at the position is wanted, before the final norm. It takes (n_layers + 1) D floats
  // until the record is consumed, beside what --memory is for.
  DLENS_READ_HIDDEN = 1,
  // The model's final output alone is wanted, by no lens: the reading has one layer, n, and is the same for
  // every lens.
  DLENS_READ_OUTPUT = 2
};

// A target that is the final top-1 of another read of the same request, of a sequence without changes.
#define DLENS_TARGET_TOP_OF(read) (-2 - (int32_t)(read))

// A position 0..n-1 of a sequence, to be read by every lens of the run at every layer that it has (a Jacobian
// lens may lack some).
typedef struct dlens_read {
  uint32_t size;
  uint32_t sequence;  // of the same request
  uint64_t position;
  const int32_t *targets;  // (n_targets) ids, -1 = the model's own final top-1, DLENS_TARGET_TOP_OF(...)
  uint64_t n_targets;      // may be 0
  uint32_t n_top;          // 0..64: so many of each layer's most likely tokens are wanted
  uint32_t flags;          // DLENS_READ_HIDDEN, DLENS_READ_OUTPUT
  // Number of another read of the same request plus 1: its final output stands for the one here, as the
  // target -1, as final_top and in KL. Both have DLENS_READ_OUTPUT or neither, and that one's sequence has no
  // changes. 0 = none.
  uint32_t against;
  uint32_t reserved;
} dlens_read;

enum {
  // A random direction, as long as the state that is named: a control.
  DLENS_CHANGE_RANDOM = 1
};

// A position 0..n-1 of a sequence of the same request that has no changes.
typedef struct dlens_place {
  uint32_t size;
  uint32_t sequence;
  uint64_t position;
} dlens_place;

// A change of the residual stream of a sequence, at a position before a block; what follows sees the changed
// state. The vector is the state at a place before the same block, the mean of several, or given.
typedef struct dlens_change {
  uint32_t size;
  uint32_t layer;  // 0..n-1: of the block
  uint64_t position;
  uint32_t how;                      // DLENS_EDIT_REPLACE or DLENS_EDIT_ADD
  uint32_t flags;                    // DLENS_CHANGE_RANDOM
  const dlens_place *const *places;  // (n_places)
  uint64_t n_places;                 // 0 = the vector is given
  const float *vector;               // (D) finite; NULL where there are places
  uint64_t seed;                     // of the random direction
} dlens_change;

// A text that goes on by itself, without changes: the likeliest token is put behind it, again and again (of
// equal ones the smaller id).
typedef struct dlens_generation {
  uint32_t size;
  // At most so many; it ends with the first token that ends the model's texts, and at the model's length.
  uint32_t n_tokens;
  const int32_t *ids;  // (n_ids) of the prompt
  uint64_t n_ids;      // at least 1
  // Number plus 1 of the lens of the run that says what is likeliest, at `layer`; 0 = the model itself does.
  uint32_t lens;
  uint32_t layer;  // 0..n; nothing comes of one that the lens does not read
} dlens_generation;

// Collects what a record needs, during plan and on its thread. All ids are copied.
typedef struct dlens_request {
  uint32_t size;
  uint32_t reserved;
  void *self;
  // A token sequence; *sequence is its number in this request. Equal prefixes are computed once, whoever
  // asks.
  dlens_status (*add_sequence)(const struct dlens_request *, const int32_t *ids, uint64_t n,
                               uint32_t *sequence, dlens_error *error);
  // *number is that of the read in this request.
  dlens_status (*add_read)(const struct dlens_request *, const dlens_read *read, uint32_t *number,
                           dlens_error *error);
  // A token sequence that is computed with changes, one for a position and layer at most; what lies before
  // the first of them is computed once with all that shares it. A run on a backend that does not change
  // states (depthlens.intervene/1) ends there as unavailable.
  dlens_status (*add_changed)(const struct dlens_request *, const int32_t *ids, uint64_t n,
                              const dlens_change *const *changes, uint64_t n_changes, uint32_t *sequence,
                              dlens_error *error);
  // *number is that of the generation in this request; its tokens are there in the next round.
  dlens_status (*add_generation)(const struct dlens_request *, const dlens_generation *generation,
                                 uint32_t *number, dlens_error *error);
} dlens_request;

// One position read by one lens, over its L layers; K targets as asked for. Where a layer has no finite
// logits its floats are NaN; a target with a logit that is NaN has rank V and no ties.
typedef struct dlens_reading {
  uint32_t size;
  uint32_t n_layers;            // L
  uint32_t n_targets;           // K
  int32_t final_top;            // the model's own top-1
  const int32_t *layers;        // (L) 0..n
  const int32_t *targets;       // (K) ids, -1 resolved
  const uint32_t *const *rank;  // [K] -> (L) 1 + number of larger logits
  const uint32_t *const *ties;  // [K] -> (L) other tokens with an equal logit
  const float *const *logprob;  // [K] -> (L) nats; -inf where a probability is below the smallest float
  const float *entropy;         // (L) nats
  const float *kl;              // (L) KL(final || layer), nats
  const int32_t *guess;         // (L) top-1 of the layer
  uint32_t n_top;               // as asked for
  uint32_t reserved;
  const int32_t *const *top;        // [L] -> (n_top) ids, the likeliest first; NULL where n_top is 0
  const float *const *top_logprob;  // [L] -> (n_top) nats; likewise
  // [layer 0..n of the model] -> (D): the same for every lens. NULL where it was not asked for.
  const float *const *hidden;
} dlens_reading;

// What plan may go by: the model's own top-1 at the reads of a record's rounds so far. It is the same with
// every set of lenses and at every continuation of a run, which readings of lenses are not.
typedef struct dlens_tops {
  uint32_t size;
  uint32_t n_rounds;
  const void *self;
  // -1 for a number that was not asked for. [any]
  int32_t (*final_top)(const struct dlens_tops *, uint32_t round, uint32_t read);
  // The tokens of a generation, (*n_ids) of them, the one that ended it included; valid during the call. None
  // where a lens says them that is not read this time, so go by them about that lens alone. DLENS_USAGE for a
  // number that was not asked for. [any]
  dlens_status (*generated)(const struct dlens_tops *, uint32_t round, uint32_t number, const int32_t **ids,
                            uint64_t *n_ids, dlens_error *error);
} dlens_tops;

// The answers to a record's requests, for consume.
typedef struct dlens_answers {
  uint32_t size;
  uint32_t reserved;
  const dlens_tops *tops;
  const void *self;
  // By the lens that is consumed; valid during the call of consume. DLENS_USAGE for a round or read that was
  // not asked for. [any]
  dlens_status (*reading)(const struct dlens_answers *, uint32_t round, uint32_t read,
                          const dlens_reading **reading, dlens_error *error);
} dlens_answers;

// During consume or finish, and on its thread.
typedef struct dlens_sink {
  uint32_t size;
  uint32_t reserved;
  void *self;
  // Adds a row to a table of the study's description. Values are copied; n must be its number of columns.
  dlens_status (*append)(const struct dlens_sink *, uint32_t table, const dlens_value *values, uint64_t n,
                         dlens_error *error);
  // Only in consume: counts n records, or parts of this one, as kept (reason "") or not kept, by reason. set:
  // what run.json shows them under, as the experiment likes: "", the set of the data key, a part of speech.
  // Each call of consume counts, for every lens; run.json has the counts of the first lens, and beside them
  // what was not finite for each other one.
  dlens_status (*count)(const struct dlens_sink *, dlens_text set, dlens_text reason, uint64_t n,
                        dlens_error *error);
  // Only in finish: how many prompts a figure is about, for its title; `figure` is its place in the
  // study's list (figures.h).
  dlens_status (*figure_prompts)(const struct dlens_sink *, uint32_t figure, uint64_t n, dlens_error *error);
} dlens_sink;

typedef struct dlens_row {
  uint32_t size;
  uint32_t table;
  uint32_t dataset;
  uint32_t reserved;
  uint64_t record;  // index of its record
  const dlens_value *values;
  uint64_t n_values;
} dlens_row;

// Rows of consume in order of data set and record; reads from disk, holds one record at a time.
typedef struct dlens_rows {
  uint32_t size;
  uint32_t reserved;
  uint64_t n_records;  // at most, of this lens
  void *self;
  // *row is NULL at the end, else valid until the next call. [main]
  dlens_status (*next)(const struct dlens_rows *, const dlens_row **row, dlens_error *error);
  // The next row is the first again. [main]
  dlens_status (*rewind)(const struct dlens_rows *, dlens_error *error);
} dlens_rows;

// Tables of a study; valid until the study is destroyed.
typedef struct dlens_description {
  uint32_t size;
  uint32_t reserved;
  const dlens_table *const *tables;
  uint64_t n_tables;
} dlens_description;

typedef struct dlens_study {
  uint32_t size;
  uint32_t reserved;
  void *self;
  // Sees every whole record of every data set in order, before --limit and before describe; NULL if it need
  // not. [main]
  dlens_status (*survey)(const struct dlens_study *, const dlens_record *record, dlens_error *error);
  dlens_status (*describe)(const struct dlens_study *, const dlens_description **description,
                           dlens_error *error);  // [main]
  // Asks for what it needs next; asking for nothing ends the record's rounds. [worker]
  dlens_status (*plan)(const struct dlens_study *, const dlens_record *record, const dlens_tops *tops,
                       const dlens_request *request, dlens_error *error);
  // Makes the rows of one record and lens; tables that are DLENS_TABLE_SHARED get the same rows for every
  // lens. [worker]
  dlens_status (*consume)(const struct dlens_study *, const dlens_record *record,
                          const dlens_answers *answers, uint32_t lens, const dlens_sink *sink,
                          dlens_error *error);
  // Makes the rows of the summary tables from all rows of one lens; NULL if it has none. [main]
  dlens_status (*finish)(const struct dlens_study *, const dlens_rows *rows, uint32_t lens,
                         const dlens_sink *sink, dlens_error *error);
  void (*destroy)(struct dlens_study *);  // [main]
  // What the study does besides, by the id of its interface (figures.h); NULL, or NULL for an id that it does
  // not know. [any]
  const void *(*get_extension)(const struct dlens_study *, const char *id);
} dlens_study;

#define DLENS_MOST_ROUNDS 256

enum {
  // It reads the texts that the model says, where dlens_run.generate asks for them. Of others a run with
  // --generate is refused.
  DLENS_EXPERIMENT_GENERATES = 1
};

typedef struct dlens_experiment {
  uint32_t size;
  uint32_t reserved;
  const dlens_option *const *options;
  uint64_t n_options;
  const dlens_input *const *inputs;
  uint64_t n_inputs;
  // options: every declared option with its value as text, checked by the host, one pair for each time that
  // it was given; what was not given and has no default is not listed.
  // *study is freed with its destroy. [main]
  dlens_status (*study_create)(const dlens_run *run, const dlens_pair *options, uint64_t n_options,
                               dlens_study **study, dlens_error *error);
  uint32_t flags;  // DLENS_EXPERIMENT_GENERATES
  uint32_t reserved2;
} dlens_experiment;

DLENS_ASSERT(sizeof(dlens_word) == 40);
DLENS_ASSERT(offsetof(dlens_input, kinds) == 16);
DLENS_ASSERT(offsetof(dlens_record, left_out) == 64);
DLENS_ASSERT(offsetof(dlens_dataset, kind) == 16);
DLENS_ASSERT(offsetof(dlens_run, host) == 64);
DLENS_ASSERT(offsetof(dlens_read, flags) == 36);
DLENS_ASSERT(offsetof(dlens_read, against) == 40);
DLENS_ASSERT(offsetof(dlens_change, seed) == 48);
DLENS_ASSERT(offsetof(dlens_generation, layer) == 28);
DLENS_ASSERT(offsetof(dlens_request, add_read) == 24);
DLENS_ASSERT(offsetof(dlens_request, add_changed) == 32);
DLENS_ASSERT(offsetof(dlens_reading, hidden) == 104);
DLENS_ASSERT(offsetof(dlens_tops, final_top) == 16);
DLENS_ASSERT(offsetof(dlens_answers, reading) == 24);
DLENS_ASSERT(offsetof(dlens_sink, figure_prompts) == 32);
DLENS_ASSERT(offsetof(dlens_row, n_values) == 32);
DLENS_ASSERT(offsetof(dlens_rows, rewind) == 32);
DLENS_ASSERT(offsetof(dlens_description, n_tables) == 16);
DLENS_ASSERT(offsetof(dlens_study, get_extension) == 64);
DLENS_ASSERT(offsetof(dlens_experiment, study_create) == 40);

#ifdef __cplusplus
}
#endif

#endif
