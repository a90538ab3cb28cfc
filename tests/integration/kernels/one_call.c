/* One call of each kernel, for processors that Python is not at hand for: arrays from standard input, sums to standard output.

   Bitvector: int64 bits, whether sums are float, rows, tables, trees, outputs; then by table int64 bins, masks, numbers, edges (two fewer than bins),
   validity of so many bytes as rows, and from which bit on; sums that each add all trees' leaves to one output; raw. Forest: int64 0, rows,
   columns, trees, width, outputs, nodes; nodes, roots, first sums, values, first code with sets, words of a set, sets; set words; codes,
   raw. All codes from the first on have that many sets. Exponential: int64 -1, values; the constants, the powers; values. */

#include "../../../functions/shared/kernels/exponential.c"
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

static void give(const void *raw, int64_t cells, size_t bytes) {
    if (fwrite(raw, bytes, (size_t)cells, stdout) != (size_t)cells) exit(3);
}

static void call_bitvector(int64_t bits) {
    int64_t single = number(), rows = number(), tables = number(), trees = number(), outputs = number();
    size_t real = single ? sizeof(float) : sizeof(double);
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
    const void **leaves = malloc((size_t)outputs * 8);
    int64_t *place = malloc((size_t)outputs * 8), *first = calloc((size_t)outputs, 8), *count = malloc((size_t)outputs * 8);
    for (int64_t s = 0; s < outputs; s++) {
        leaves[s] = take((size_t)(trees * bits) * real);
        place[s] = s;
        count[s] = trees;
    }
    void *raw = take((size_t)(rows * outputs) * real);
    tree_block block = {trees, outputs, masks, place, first, count, leaves};
    bitvector_model model = {tables, outputs, 1, &block, 64, (int32_t)bits, (int32_t)single};
    everscore_bitvector(&model, rows, columns, malloc((size_t)(model.chunk * tables * 4)), malloc((size_t)(GROUP * trees * bits / 8)), raw);
    give(raw, rows * outputs, real);
}

static void call_forest(void) {
    int64_t rows = number(), columns = number(), trees = number(), width = number(), outputs = number(), nodes = number();
    const node *walked = take((size_t)nodes * 8);
    const int64_t *roots = take((size_t)trees * 8), *first_sums = take((size_t)trees * 8);
    const double *values = take((size_t)(nodes * width) * 8);
    int64_t numbers = number(), of_a_set = number(), sets = number(), codes_with_sets = columns - numbers;
    const uint64_t *bits = take((size_t)(codes_with_sets * sets * of_a_set) * 8);
    int64_t *first_words = calloc((size_t)codes_with_sets + 1, 8), *words = calloc((size_t)codes_with_sets + 1, 8);
    for (int64_t k = 0; k < codes_with_sets; k++) {
        first_words[k] = k * sets * of_a_set;
        words[k] = of_a_set;
    }
    const uint16_t *codes = take((size_t)(rows * columns) * 2);
    double *raw = take((size_t)(rows * outputs) * 8);
    forest_model model = {columns, trees, width, outputs, 0, walked, roots, first_sums, values, numbers, first_words, words, bits};
    everscore_forest(&model, rows, codes, raw);
    give(raw, rows * outputs, 8);
}

static void call_exponential(void) {
    int64_t count = number();
    exponential *how = take(sizeof(exponential) - sizeof(uint64_t *));
    how = realloc(how, sizeof(exponential));
    if (!how) exit(2);
    how->powers = take(PARTS * 8);
    float *values = take((size_t)count * 4);
    everscore_exponential(how, count, values);
    give(values, count, 4);
}

int main(void) {
    int64_t bits = number();
    if (bits > 0)
        call_bitvector(bits);
    else if (bits < 0)
        call_exponential();
    else
        call_forest();
    return 0;
}
