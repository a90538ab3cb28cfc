/* The inner loops of tree ensembles: bins and, by bit masks, leaves; and walks down deep trees.

   What the arrays mean stands in ../engines/bitvector_model.py and ../engines/forest.py, which check each of them
   when a bundle is read. Sums are made in float64, tree after tree, as scikit-learn makes them; nothing is multiplied, so no
   compiler can fuse two roundings into one. */

#include "kernels.h"

EXPORT int32_t everscore_interface(void);
int32_t everscore_interface(void) { return INTERFACE; }

/* ---- bins ----

   Rows go in blocks, whose bins stay in the nearest cache between being found and being used. */

enum { BLOCK = 256, SEARCHED = 8 };

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
INLINE void search(const column *from, int64_t start, int64_t rows, int64_t *restrict bins) {
    for (int64_t r = 0; r < rows; r += SEARCHED) {
        double number[SEARCHED];
        int64_t below[SEARCHED] = {0};
        for (int q = 0; q < SEARCHED; q++) number[q] = from->numbers[start + (r + q < rows ? r + q : rows - 1)];
        for (int64_t left = from->edge_count; left > 0;) {
            const int64_t half = (left + 1) / 2;
            for (int q = 0; q < SEARCHED; q++) below[q] += from->edges[below[q] + half - 1] < number[q] ? half : 0;
            left -= half;
        }
        for (int q = 0; q < SEARCHED; q++) bins[r + q] = number[q] == number[q] ? below[q] : from->edge_count + 1;
    }
}

/* The bins of up to BLOCK rows. Missing numbers are NaN or not valid; their bin is the last. */
INLINE void find_bins(const column *from, int64_t start, int64_t rows, int64_t *restrict bins) {
    if (!from->numbers) {
        for (int64_t r = 0; r < rows; r++) bins[r] = from->bins[start + r];
        return;
    }
    search(from, start, rows, bins);
    if (from->valid)
        for (int64_t r = 0; r < rows; r++) {
            const int64_t bit = from->valid_from + start + r;
            if (!(from->valid[bit / 8] >> bit % 8 & 1)) bins[r] = from->edge_count + 1;
        }
}

/* ---- leaves found by bit masks ----

   Table k has a row of masks, one a tree, for each bin. The AND of a row's masks leaves one bit a tree, whose number is the
   leaf's. Tables are combined a few at a time, which saves storing what lies between; rows go in groups, because a row's sum
   is a chain of additions that wait for one another. */

enum { GROUP = 4, TABLES = 4 };

typedef struct {
    int64_t tables, trees, sums, outputs;
    const void *const *masks;   /* by table: shape (bins, trees) */
    const int64_t *sum_outputs; /* by sum: where it adds, its first tree, its number of trees */
    const int64_t *sum_first_trees;
    const int64_t *sum_trees;
    const double *const *leaves; /* by sum: shape (trees, bits of a mask) */
} bitvector_model;

#define DEFINE_BITVECTOR(BITS, LOWEST_BIT)                                                                                          \
    INLINE void combine_##BITS(const bitvector_model *model, const int64_t *bins, int64_t row, uint##BITS##_t *restrict to) {       \
        const int64_t trees = model->trees, last = model->tables - 1;                                                               \
        for (int64_t k = 0; k <= last; k += TABLES) {                                                                               \
            const uint##BITS##_t *mask[TABLES];                                                                                     \
            for (int q = 0; q < TABLES; q++) {                                                                                      \
                int64_t table = k + q < last ? k + q : last; /* the last one again and again changes nothing */                     \
                mask[q] = (const uint##BITS##_t *)model->masks[table] + bins[table * BLOCK + row] * trees;                          \
            }                                                                                                                       \
            if (k == 0)                                                                                                             \
                for (int64_t t = 0; t < trees; t++) to[t] = mask[0][t] & mask[1][t] & mask[2][t] & mask[3][t];                      \
            else                                                                                                                    \
                for (int64_t t = 0; t < trees; t++) to[t] &= mask[0][t] & mask[1][t] & mask[2][t] & mask[3][t];                     \
        }                                                                                                                           \
    }                                                                                                                               \
                                                                                                                                    \
    INLINE void bitvector_##BITS(const bitvector_model *model, int64_t rows, const int64_t *bins,                                   \
                                 uint##BITS##_t *restrict allowed, double *restrict raw) {                                          \
        const uint##BITS##_t top = (uint##BITS##_t)1 << (BITS - 1);                                                                 \
        for (int64_t start = 0; start < rows; start += GROUP) {                                                                     \
            int64_t row[GROUP];                                                                                                     \
            for (int q = 0; q < GROUP; q++) {                                                                                       \
                row[q] = start + q < rows ? start + q : rows - 1; /* the last one fills the last group */                           \
                combine_##BITS(model, bins, row[q], allowed + q * model->trees);                                                    \
            }                                                                                                                       \
            for (int64_t s = 0; s < model->sums; s++) {                                                                             \
                const int64_t trees = model->sum_trees[s];                                                                          \
                const double *leaves = model->leaves[s];                                                                            \
                const uint##BITS##_t *mask[GROUP];                                                                                  \
                double *place[GROUP], sum[GROUP];                                                                                   \
                for (int q = 0; q < GROUP; q++) {                                                                                   \
                    mask[q] = allowed + q * model->trees + model->sum_first_trees[s];                                               \
                    place[q] = raw + row[q] * model->outputs + model->sum_outputs[s];                                               \
                    sum[q] = *place[q];                                                                                             \
                }                                                                                                                   \
                for (int64_t t = 0; t < trees; t++, leaves += BITS)                                                                 \
                    for (int q = 0; q < GROUP; q++) sum[q] += leaves[LOWEST_BIT(mask[q][t] | top)]; /* below BITS, whatever came */ \
                for (int q = 0; q < GROUP; q++) *place[q] = sum[q];                                                                 \
            }                                                                                                                       \
        }                                                                                                                           \
    }

DEFINE_BITVECTOR(32, __builtin_ctz)
DEFINE_BITVECTOR(64, __builtin_ctzll)

INLINE void bitvector(const bitvector_model *model, int32_t bits, int64_t rows, const column *columns, int64_t *bins, void *allowed,
                      double *raw) {
    for (int64_t start = 0; start < rows; start += BLOCK) {
        const int64_t block = rows - start < BLOCK ? rows - start : BLOCK;
        for (int64_t k = 0; k < model->tables; k++) find_bins(columns + k, start, block, bins + k * BLOCK);
        if (bits == 32)
            bitvector_32(model, block, bins, allowed, raw + start * model->outputs);
        else
            bitvector_64(model, block, bins, allowed, raw + start * model->outputs);
    }
}

#if defined(__x86_64__)
static __attribute__((target("avx2,bmi"))) void bitvector_avx2(const bitvector_model *model, int32_t bits, int64_t rows,
                                                               const column *columns, int64_t *bins, void *allowed, double *raw) {
    bitvector(model, bits, rows, columns, bins, allowed, raw);
}
#endif

/* Add the leaf values of rows to raw, shape (rows, outputs); table k is of columns[k]. A mask has 32 or 64 bits. Memory to
   work in: `bins` for BLOCK rows of all tables, `allowed` for GROUP rows of masks. */
EXPORT void everscore_bitvector(const bitvector_model *model, int32_t bits, int64_t rows, const column *columns, int64_t *bins,
                                void *allowed, double *raw);
void everscore_bitvector(const bitvector_model *model, int32_t bits, int64_t rows, const column *columns, int64_t *bins, void *allowed,
                         double *raw) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")) {
        bitvector_avx2(model, bits, rows, columns, bins, allowed, raw);
        return;
    }
#endif
    bitvector(model, bits, rows, columns, bins, allowed, raw);
}

/* ---- walks down deep trees ----

   Every step waits for memory, so some rows walk side by side, and their waits overlap. A leaf is its own child: who has
   arrived stays until the others have. */

enum { LANES = 8, STEPS = 2 };

typedef struct {
    uint16_t code, rank;
    uint32_t left;
} node;

typedef struct {
    int64_t columns, trees, width, outputs;
    const node *nodes;
    const int64_t *roots;      /* by tree */
    const int64_t *first_sums; /* by tree: the first of the outputs it adds to */
    const double *values;      /* shape (nodes, width) */
} forest_model;

/* Add the leaf values of rows with these codes, shape (rows, columns), to raw, shape (rows, outputs). */
EXPORT void everscore_forest(const forest_model *model, int64_t rows, const uint16_t *codes, double *raw);
void everscore_forest(const forest_model *model, int64_t rows, const uint16_t *codes, double *raw) {
    for (int64_t t = 0; t < model->trees; t++) {
        for (int64_t start = 0; start < rows; start += LANES) {
            const int64_t lanes = rows - start < LANES ? rows - start : LANES;
            const uint16_t *code[LANES];
            uint32_t at[LANES], moved;
            for (int q = 0; q < LANES; q++) {
                at[q] = (uint32_t)model->roots[t];
                code[q] = codes + (q < lanes ? start + q : start) * model->columns;
            }
            do {
                moved = 0;
                for (int step = 0; step < STEPS; step++)
                    for (int q = 0; q < LANES; q++) {
                        const node here = model->nodes[at[q]];
                        const uint32_t next = here.left + (code[q][here.code] > here.rank);
                        moved |= next ^ at[q];
                        at[q] = next;
                    }
            } while (moved);
            for (int64_t q = 0; q < lanes; q++) {
                const double *value = model->values + at[q] * model->width;
                double *sum = raw + (start + q) * model->outputs + model->first_sums[t];
                for (int64_t k = 0; k < model->width; k++) sum[k] += value[k];
            }
        }
    }
}
