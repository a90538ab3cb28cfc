/* The inner loops of tree ensembles: bins and, by bit masks, leaves; and walks down deep trees.

   What the arrays mean stands in ../engines/bitvector_model.py and ../engines/forest.py, which check each of them
   when a bundle is read. Sums are made tree after tree, in double or in float, as the model's own library makes them; nothing is
   multiplied, so no compiler can fuse two roundings into one. */

#include "kernels.h"

EXPORT int32_t everscore_interface(void);
int32_t everscore_interface(void) { return INTERFACE; }

/* ---- bins ----

   Rows go in chunks, whose bins stay in a near cache between being found and being used. */

enum { SEARCHED = 8 };

/* One table's feature: numbers to find among edges or, where there are none, bins that were found before. */
typedef struct {
    const int64_t *bins;
    const double *numbers;
    const uint8_t *valid; /* Arrow's bits from the one numbered valid_from on; no array where no number is missing */
    int64_t valid_from;
    const double *edges; /* strictly increasing */
    int64_t edge_count;
} column;

/* How many edges are below each number: a binary search that takes the same steps for all, so that some run side by side and
   none waits for a guessed branch. At most below + left of the edges are, which never grows: no step reads beyond the last. */
INLINE void search(const column *from, int64_t start, int64_t rows, int32_t *restrict bins) {
    for (int64_t r = 0; r < rows; r += SEARCHED) {
        double number[SEARCHED];
        int64_t below[SEARCHED] = {0};
        for (int q = 0; q < SEARCHED; q++) number[q] = from->numbers[start + (r + q < rows ? r + q : rows - 1)];
        for (int64_t left = from->edge_count; left > 0;) {
            const int64_t half = (left + 1) / 2;
            for (int q = 0; q < SEARCHED; q++) below[q] += from->edges[below[q] + half - 1] < number[q] ? half : 0;
            left -= half;
        }
        for (int q = 0; q < SEARCHED; q++) bins[r + q] = (int32_t)(number[q] == number[q] ? below[q] : from->edge_count + 1);
    }
}

/* The bins of a chunk's rows. Missing numbers are NaN or not valid; their bin is the last. */
INLINE void find_bins(const column *from, int64_t start, int64_t rows, int32_t *restrict bins) {
    if (!from->numbers) {
        for (int64_t r = 0; r < rows; r++) bins[r] = (int32_t)from->bins[start + r];
        return;
    }
    search(from, start, rows, bins);
    if (from->valid)
        for (int64_t r = 0; r < rows; r++) {
            const int64_t bit = from->valid_from + start + r;
            if (!(from->valid[bit / 8] >> bit % 8 & 1)) bins[r] = (int32_t)(from->edge_count + 1);
        }
}

/* ---- leaves found by bit masks ----

   Table k has a row of masks, one a tree, for each bin. The AND of a row's masks leaves one bit a tree, whose number is the
   leaf's. Tables are combined a few at a time, which saves storing what lies between; rows go in groups, because a row's sum
   is a chain of additions that wait for one another. Many trees go in blocks, whose masks stay in the cache for a chunk of rows. */

enum { GROUP = 4, TABLES = 4 };

/* Some trees in a row. */
typedef struct {
    int64_t trees, sums;
    const void *const *masks;   /* by table: shape (bins, trees) */
    const int64_t *sum_outputs; /* by sum: where it adds, its first tree within the block, its number of trees */
    const int64_t *sum_first_trees;
    const int64_t *sum_trees;
    const void *const *leaves; /* by sum: shape (trees, bits of a mask) */
} tree_block;

typedef struct {
    int64_t tables, outputs, blocks;
    const tree_block *block;
    int64_t chunk;        /* rows, a multiple of SEARCHED */
    int32_t bits, single; /* of a mask: 32 or 64; whether leaves and sums are float */
} bitvector_model;

#define LOWEST_BIT_32 __builtin_ctz
#define LOWEST_BIT_64 __builtin_ctzll

#define DEFINE_COMBINE(BITS)                                                                                                      \
    INLINE void combine_##BITS(const bitvector_model *model, const tree_block *block, const int32_t *bins, int64_t row,           \
                               uint##BITS##_t *restrict to) {                                                                     \
        const int64_t trees = block->trees, last = model->tables - 1;                                                             \
        for (int64_t k = 0; k <= last; k += TABLES) {                                                                             \
            const uint##BITS##_t *mask[TABLES];                                                                                   \
            for (int q = 0; q < TABLES; q++) {                                                                                    \
                int64_t table = k + q < last ? k + q : last; /* the last one again and again changes nothing */                   \
                mask[q] = (const uint##BITS##_t *)block->masks[table] + bins[table * model->chunk + row] * trees;                 \
            }                                                                                                                     \
            if (k == 0)                                                                                                           \
                for (int64_t t = 0; t < trees; t++) to[t] = mask[0][t] & mask[1][t] & mask[2][t] & mask[3][t];                    \
            else                                                                                                                  \
                for (int64_t t = 0; t < trees; t++) to[t] &= mask[0][t] & mask[1][t] & mask[2][t] & mask[3][t];                   \
        }                                                                                                                         \
    }

#define DEFINE_BITVECTOR(BITS, REAL)                                                                                              \
    INLINE void bitvector_##BITS##_##REAL(const bitvector_model *model, const tree_block *block, int64_t rows,                    \
                                          const int32_t *bins, uint##BITS##_t *restrict allowed, REAL *restrict raw) {            \
        const uint##BITS##_t top = (uint##BITS##_t)1 << (BITS - 1);                                                               \
        for (int64_t start = 0; start < rows; start += GROUP) {                                                                   \
            int64_t row[GROUP];                                                                                                   \
            for (int q = 0; q < GROUP; q++) {                                                                                     \
                row[q] = start + q < rows ? start + q : rows - 1; /* the last one fills the last group */                         \
                combine_##BITS(model, block, bins, row[q], allowed + q * block->trees);                                           \
            }                                                                                                                     \
            for (int64_t s = 0; s < block->sums; s++) {                                                                           \
                const int64_t trees = block->sum_trees[s];                                                                        \
                const REAL *leaves = block->leaves[s];                                                                            \
                const uint##BITS##_t *mask[GROUP];                                                                                \
                REAL *place[GROUP], sum[GROUP];                                                                                   \
                for (int q = 0; q < GROUP; q++) {                                                                                 \
                    mask[q] = allowed + q * block->trees + block->sum_first_trees[s];                                             \
                    place[q] = raw + row[q] * model->outputs + block->sum_outputs[s];                                             \
                    sum[q] = *place[q];                                                                                           \
                }                                                                                                                 \
                for (int64_t t = 0; t < trees; t++, leaves += BITS)                                                               \
                    for (int q = 0; q < GROUP; q++)                                                                               \
                        sum[q] += leaves[LOWEST_BIT_##BITS(mask[q][t] | top)]; /* below BITS, whatever came */                    \
                for (int q = 0; q < GROUP; q++) *place[q] = sum[q];                                                               \
            }                                                                                                                     \
        }                                                                                                                         \
    }

DEFINE_COMBINE(32)
DEFINE_COMBINE(64)
DEFINE_BITVECTOR(32, double)
DEFINE_BITVECTOR(64, double)
DEFINE_BITVECTOR(32, float)
DEFINE_BITVECTOR(64, float)

INLINE void bitvector(const bitvector_model *model, int64_t rows, const column *columns, int32_t *bins, void *allowed, void *raw) {
    for (int64_t start = 0; start < rows; start += model->chunk) {
        const int64_t chunk = rows - start < model->chunk ? rows - start : model->chunk, place = start * model->outputs;
        for (int64_t k = 0; k < model->tables; k++) find_bins(columns + k, start, chunk, bins + k * model->chunk);
        for (int64_t b = 0; b < model->blocks; b++) {
            const tree_block *block = model->block + b;
            if (model->bits == 32 && model->single)
                bitvector_32_float(model, block, chunk, bins, allowed, (float *)raw + place);
            else if (model->bits == 32)
                bitvector_32_double(model, block, chunk, bins, allowed, (double *)raw + place);
            else if (model->single)
                bitvector_64_float(model, block, chunk, bins, allowed, (float *)raw + place);
            else
                bitvector_64_double(model, block, chunk, bins, allowed, (double *)raw + place);
        }
    }
}

#if defined(__x86_64__)
static __attribute__((target("avx2,bmi"))) void bitvector_avx2(const bitvector_model *model, int64_t rows, const column *columns,
                                                               int32_t *bins, void *allowed, void *raw) {
    bitvector(model, rows, columns, bins, allowed, raw);
}
#endif

/* Add the leaf values of rows to raw, shape (rows, outputs); table k is of columns[k]. Memory to work in: `bins` for a chunk of
   all tables, in which the last chunk's are left, and `allowed` for GROUP rows of a block's masks. */
EXPORT void everscore_bitvector(const bitvector_model *model, int64_t rows, const column *columns, int32_t *bins, void *allowed,
                                void *raw);
void everscore_bitvector(const bitvector_model *model, int64_t rows, const column *columns, int32_t *bins, void *allowed, void *raw) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")) {
        bitvector_avx2(model, rows, columns, bins, allowed, raw);
        return;
    }
#endif
    bitvector(model, rows, columns, bins, allowed, raw);
}

/* ---- walks down deep trees ----

   Every step waits for memory, so some rows walk side by side, and their waits overlap. A leaf is its own child, and no code is above its
   rank: a row that has arrived stays until the others have. */

enum { LANES = 8, STEPS = 2, LEAF = UINT16_MAX };

typedef struct {
    uint16_t code, rank;
    uint32_t left;
} node;

typedef struct {
    int64_t columns, trees, width, outputs, single; /* whether values and sums are float */
    const node *nodes;
    const int64_t *roots;      /* by tree */
    const int64_t *first_sums; /* by tree: the first of the outputs it adds to */
    const void *values;        /* shape (nodes, width) */
    /* Codes from the one numbered numbers on are bins of categories, and a rank there numbers a set of those that go right. */
    int64_t numbers;
    const int64_t *first_words; /* by such code: its first word among all sets, and how many a set has */
    const int64_t *words;
    const uint64_t *sets;
} forest_model;

INLINE uint32_t in_set(const forest_model *model, node here, uint16_t bin) {
    const int64_t k = here.code - model->numbers;
    return (uint32_t)(model->sets[model->first_words[k] + here.rank * model->words[k] + bin / 64] >> bin % 64 & 1);
}

/* The leaves that LANES rows end in. Whether any node asks for sets is known beforehand, so that most models never look. */
INLINE void walk(const forest_model *model, int any_sets, int64_t root, const uint16_t *const *code, uint32_t *restrict at) {
    uint32_t moved;
    for (int q = 0; q < LANES; q++) at[q] = (uint32_t)root;
    do {
        moved = 0;
        for (int step = 0; step < STEPS; step++)
            for (int q = 0; q < LANES; q++) {
                const node here = model->nodes[at[q]];
                const uint16_t value = code[q][here.code];
                const uint32_t right = any_sets && here.code >= model->numbers && here.rank != LEAF ? in_set(model, here, value)
                                                                                                : value > here.rank;
                const uint32_t next = here.left + right;
                moved |= next ^ at[q];
                at[q] = next;
            }
    } while (moved);
}

#define DEFINE_FOREST(REAL, SETS)                                                                                                 \
    INLINE void forest_##REAL##_##SETS(const forest_model *model, int64_t rows, const uint16_t *codes, REAL *restrict raw) {      \
        for (int64_t t = 0; t < model->trees; t++)                                                                                \
            for (int64_t start = 0; start < rows; start += LANES) {                                                               \
                const int64_t lanes = rows - start < LANES ? rows - start : LANES;                                                \
                const uint16_t *code[LANES];                                                                                      \
                uint32_t at[LANES];                                                                                               \
                for (int q = 0; q < LANES; q++) code[q] = codes + (q < lanes ? start + q : start) * model->columns;               \
                walk(model, SETS, model->roots[t], code, at);                                                                     \
                for (int64_t q = 0; q < lanes; q++) {                                                                             \
                    const REAL *value = (const REAL *)model->values + at[q] * model->width;                                       \
                    REAL *sum = raw + (start + q) * model->outputs + model->first_sums[t];                                        \
                    for (int64_t k = 0; k < model->width; k++) sum[k] += value[k];                                                \
                }                                                                                                                 \
            }                                                                                                                     \
    }

DEFINE_FOREST(double, 0)
DEFINE_FOREST(double, 1)
DEFINE_FOREST(float, 0)
DEFINE_FOREST(float, 1)

/* Add the leaf values of rows with these codes, shape (rows, columns), to raw, shape (rows, outputs). */
EXPORT void everscore_forest(const forest_model *model, int64_t rows, const uint16_t *codes, void *raw);
void everscore_forest(const forest_model *model, int64_t rows, const uint16_t *codes, void *raw) {
    const int any_sets = model->numbers < model->columns;
    if (model->single && any_sets)
        forest_float_1(model, rows, codes, raw);
    else if (model->single)
        forest_float_0(model, rows, codes, raw);
    else if (any_sets)
        forest_double_1(model, rows, codes, raw);
    else
        forest_double_0(model, rows, codes, raw);
}
