/* One call of each kernel, for processors that Python is not at hand for: arrays from standard input, sums to standard output.

   Bitvector: int64 bits, rows, tables, trees, outputs; then by table int64 bins, masks, numbers, edges (two fewer than bins),
   validity of so many bytes as rows, and from which bit on; sums that each add all trees' leaves to one output; raw. Forest: int64 0, rows, columns, trees, width, outputs, nodes; nodes, roots, first sums, values,
   codes, raw. */

#include "../../../functions/shared/kernels/trees.c"

#include <stdio.h>
#include <stdlib.h>

static void *take(size_t bytes) {
    void *array = malloc(bytes + 1);
    if (!array || fread(array, 1, bytes, stdin) != bytes) exit(2);
    return array;
}

static int64_t number(void) {
    int64_t *value = take(8);
    return *value;
}

static void give(const double *raw, int64_t cells) {
    if (fwrite(raw, 8, (size_t)cells, stdout) != (size_t)cells) exit(3);
}

static void call_bitvector(int64_t bits) {
    int64_t rows = number(), tables = number(), trees = number(), outputs = number();
    const void **masks = malloc((size_t)tables * 8);
    column *columns = calloc((size_t)tables, sizeof(column));
    for (int64_t k = 0; k < tables; k++) {
        int64_t bins = number();
        masks[k] = take((size_t)(bins * trees * bits / 8));
        columns[k].numbers = take((size_t)rows * 8);
        columns[k].edges = take((size_t)(bins - 2) * 8);
        columns[k].edge_count = bins - 2;
        columns[k].valid = take((size_t)rows);
        columns[k].valid_from = number();
    }
    const double **leaves = malloc((size_t)outputs * 8);
    int64_t *place = malloc((size_t)outputs * 8), *first = calloc((size_t)outputs, 8), *count = malloc((size_t)outputs * 8);
    for (int64_t s = 0; s < outputs; s++) {
        leaves[s] = take((size_t)(trees * bits) * 8);
        place[s] = s;
        count[s] = trees;
    }
    double *raw = take((size_t)(rows * outputs) * 8);
    bitvector_model model = {tables, trees, outputs, outputs, masks, place, first, count, leaves};
    everscore_bitvector(&model, (int32_t)bits, rows, columns, malloc((size_t)(BLOCK * tables * 8)),
                        malloc((size_t)(GROUP * trees * bits / 8)), raw);
    give(raw, rows * outputs);
}

static void call_forest(void) {
    int64_t rows = number(), columns = number(), trees = number(), width = number(), outputs = number(), nodes = number();
    const node *walked = take((size_t)nodes * 8);
    const int64_t *roots = take((size_t)trees * 8), *first_sums = take((size_t)trees * 8);
    const double *values = take((size_t)(nodes * width) * 8);
    const uint16_t *codes = take((size_t)(rows * columns) * 2);
    double *raw = take((size_t)(rows * outputs) * 8);
    forest_model model = {columns, trees, width, outputs, walked, roots, first_sums, values};
    everscore_forest(&model, rows, codes, raw);
    give(raw, rows * outputs);
}

int main(void) {
    int64_t bits = number();
    if (bits)
        call_bitvector(bits);
    else
        call_forest();
    return 0;
}
