/*
 * A model of two layers with random weights, written as a file, against a plain computation of the
 * same in doubles; and folders that hold no model. (What the real weights make is tested by
 * system/test_design_vectors.)
 */
#include "base/bytes.h"
#include "base/file.h"
#include "design/embed/embed.h"
#include "support.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WIDTH = EMBED_WIDTH,
    INNER = 4 * WIDTH,
    HEADS = 12,
    LAYERS = 2,
    WORDS = 12,
    LENGTH_MAX = 300
};

#define TOKENIZER                                                                          \
    "{\"normalizer\":{\"type\":\"BertNormalizer\"},"                                       \
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":{\"type\":\"WordPiece\"," \
    "\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"a\":4,\"b\":5,\"c\":6,"  \
    "\"d\":7,\"##a\":8,\"##b\":9,\".\":10,\"_\":11}}}"

/* ---------------------------------------------------------------- a file of weights */

struct tensor {
    char name[100];
    size_t rows; /* 0: a row of values */
    size_t columns;
    float *values;
};

struct weights {
    struct tensor tensors[64];
    size_t count;
};

static float *add(struct weights *weights, struct random *random, const char *name, size_t rows,
                  size_t columns, float scale)
{
    struct tensor *tensor = &weights->tensors[weights->count++];
    size_t count = (rows > 0 ? rows : 1) * columns;
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    tensor->rows = rows;
    tensor->columns = columns;
    tensor->values = calloc(count, sizeof *tensor->values);
    assert_non_null(tensor->values);
    for (size_t i = 0; i < count; i++) {
        tensor->values[i] = scale * (float)random_between(random, -1000, 1000) / 1000.0F;
    }
    return tensor->values;
}

static void add_norm(struct weights *weights, struct random *random, const char *stem)
{
    char name[100];
    snprintf(name, sizeof name, "%s.weight", stem);
    float *scale = add(weights, random, name, 0, WIDTH, 0.2F);
    for (size_t i = 0; i < WIDTH; i++) {
        scale[i] += 1;
    }
    snprintf(name, sizeof name, "%s.bias", stem);
    (void)add(weights, random, name, 0, WIDTH, 0.2F);
}

static void add_linear(struct weights *weights, struct random *random, const char *stem,
                       size_t rows, size_t columns)
{
    char name[100];
    snprintf(name, sizeof name, "%s.weight", stem);
    (void)add(weights, random, name, rows, columns, 0.1F);
    snprintf(name, sizeof name, "%s.bias", stem);
    (void)add(weights, random, name, 0, rows, 0.1F);
}

static void make_weights(struct weights *weights, struct random *random)
{
    static const struct {
        const char *name;
        size_t rows;
        size_t columns;
    } parts[] = {{"attention.self.query", WIDTH, WIDTH},   {"attention.self.key", WIDTH, WIDTH},
                 {"attention.self.value", WIDTH, WIDTH},   {"attention.output.dense", WIDTH, WIDTH},
                 {"intermediate.dense", INNER, WIDTH},     {"output.dense", WIDTH, INNER},
                 {"attention.output.LayerNorm", 0, WIDTH}, {"output.LayerNorm", 0, WIDTH}};
    char name[80];
    (void)add(weights, random, "embeddings.word_embeddings.weight", WORDS, WIDTH, 1);
    (void)add(weights, random, "embeddings.position_embeddings.weight", EMBED_TOKENS_MAX, WIDTH, 1);
    (void)add(weights, random, "embeddings.token_type_embeddings.weight", 2, WIDTH, 1);
    add_norm(weights, random, "embeddings.LayerNorm");
    for (int layer = 0; layer < LAYERS; layer++) {
        for (size_t part = 0; part < sizeof parts / sizeof *parts; part++) {
            snprintf(name, sizeof name, "encoder.layer.%d.%s", layer, parts[part].name);
            if (parts[part].rows == 0) {
                add_norm(weights, random, name);
            } else {
                add_linear(weights, random, name, parts[part].rows, parts[part].columns);
            }
        }
    }
}

static void free_weights(struct weights *weights)
{
    for (size_t i = 0; i < weights->count; i++) {
        free(weights->tensors[i].values);
    }
}

static size_t count_of(const struct tensor *tensor)
{
    return (tensor->rows > 0 ? tensor->rows : 1) * tensor->columns;
}

static void write_file(const char *folder, const char *name, const void *bytes, size_t length)
{
    char path[4096];
    struct error error = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (file_replace(path, bytes, length, NULL, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
}

static void write_weights(const char *folder, const struct weights *weights, const char *prefix)
{
    struct buffer header = {0};
    struct buffer file = {0};
    uint8_t length[8];
    size_t offset = 0;
    for (size_t i = 0; i < weights->count; i++) {
        const struct tensor *tensor = &weights->tensors[i];
        size_t bytes = 4 * count_of(tensor);
        buffer_format(&header, "%s\"%s%s\":{\"dtype\":\"F32\",\"shape\":[", i == 0 ? "{" : ",",
                      prefix, tensor->name);
        if (tensor->rows > 0) {
            buffer_format(&header, "%zu,", tensor->rows);
        }
        buffer_format(&header, "%zu],\"data_offsets\":[%zu,%zu]}", tensor->columns, offset,
                      offset + bytes);
        offset += bytes;
    }
    buffer_append_byte(&header, '}');
    bytes_put_le(length, header.length, 8);
    buffer_append(&file, length, sizeof length);
    buffer_append_buffer(&file, &header);
    for (size_t i = 0; i < weights->count; i++) {
        buffer_append(&file, weights->tensors[i].values, 4 * count_of(&weights->tensors[i]));
    }
    write_file(folder, "model.safetensors", file.data, file.length);
    buffer_free(&header);
    buffer_free(&file);
}

/* ---------------------------------------------------------------- the same, plainly */

static const float *values_of(const struct weights *weights, const char *format, int layer,
                              const char *part)
{
    char stem[80];
    char name[100];
    snprintf(stem, sizeof stem, "encoder.layer.%d.%s", layer, format);
    snprintf(name, sizeof name, "%s.%s", layer < 0 ? format : stem, part);
    for (size_t i = 0; i < weights->count; i++) {
        if (strcmp(weights->tensors[i].name, name) == 0) {
            return weights->tensors[i].values;
        }
    }
    fail_msg("no %s", name);
    return NULL;
}

static void multiply(const struct weights *weights, const char *name, int layer, const double *from,
                     size_t from_width, double *to, size_t to_width, size_t count)
{
    const float *matrix = values_of(weights, name, layer, "weight");
    const float *bias = values_of(weights, name, layer, "bias");
    for (size_t i = 0; i < count * to_width; i++) {
        double sum = (double)bias[i % to_width];
        for (size_t at = 0; at < from_width; at++) {
            sum += from[i / to_width * from_width + at] *
                   (double)matrix[i % to_width * from_width + at];
        }
        to[i] = sum;
    }
}

static void normalize(const struct weights *weights, const char *name, int layer, double *rows,
                      size_t count)
{
    const float *scale = values_of(weights, name, layer, "weight");
    const float *shift = values_of(weights, name, layer, "bias");
    for (size_t row = 0; row < count; row++) {
        double *x = rows + row * WIDTH;
        double mean = 0;
        double variance = 0;
        for (size_t at = 0; at < WIDTH; at++) {
            mean += x[at] / WIDTH;
        }
        for (size_t at = 0; at < WIDTH; at++) {
            variance += (x[at] - mean) * (x[at] - mean) / WIDTH;
        }
        for (size_t at = 0; at < WIDTH; at++) {
            x[at] = (x[at] - mean) / sqrt(variance + 1e-12) * (double)scale[at] + (double)shift[at];
        }
    }
}

/* Queries, keys and values of `count` tokens to what each token takes from all. */
static void attend(const double *q, const double *k, const double *v, size_t count, double *out)
{
    double weights[LENGTH_MAX];
    for (size_t i = 0; i < count * HEADS; i++) {
        size_t column = i % HEADS * (WIDTH / HEADS);
        size_t row = i / HEADS;
        double sum = 0;
        for (size_t other = 0; other < count; other++) {
            double score = 0;
            for (size_t at = column; at < column + WIDTH / HEADS; at++) {
                score += q[row * WIDTH + at] * k[other * WIDTH + at];
            }
            weights[other] = exp(score / sqrt((double)WIDTH / HEADS));
            sum += weights[other];
        }
        for (size_t at = column; at < column + WIDTH / HEADS; at++) {
            out[row * WIDTH + at] = 0;
            for (size_t other = 0; other < count; other++) {
                out[row * WIDTH + at] += weights[other] / sum * v[other * WIDTH + at];
            }
        }
    }
}

static void add_to(double *to, const double *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] += from[i];
    }
}

static double *room_for(size_t count)
{
    double *room = calloc(count, sizeof *room);
    assert_non_null(room);
    return room;
}

static void compute(const struct weights *weights, const uint32_t *tokens, size_t count,
                    double *vector)
{
    double *x = room_for(count * WIDTH);
    double *y = room_for(count * WIDTH);
    double *parts[3] = {room_for(count * WIDTH), room_for(count * WIDTH), room_for(count * WIDTH)};
    double *inner = room_for(count * INNER);
    double square = 0;
    for (size_t i = 0; i < count * WIDTH; i++) {
        size_t at = i % WIDTH;
        x[i] = (double)values_of(weights, "embeddings.word_embeddings", -1,
                                 "weight")[tokens[i / WIDTH] * WIDTH + at] +
               (double)values_of(weights, "embeddings.position_embeddings", -1, "weight")[i] +
               (double)values_of(weights, "embeddings.token_type_embeddings", -1, "weight")[at];
    }
    normalize(weights, "embeddings.LayerNorm", -1, x, count);
    for (int layer = 0; layer < LAYERS; layer++) {
        multiply(weights, "attention.self.query", layer, x, WIDTH, parts[0], WIDTH, count);
        multiply(weights, "attention.self.key", layer, x, WIDTH, parts[1], WIDTH, count);
        multiply(weights, "attention.self.value", layer, x, WIDTH, parts[2], WIDTH, count);
        attend(parts[0], parts[1], parts[2], count, y);
        multiply(weights, "attention.output.dense", layer, y, WIDTH, parts[0], WIDTH, count);
        add_to(x, parts[0], count * WIDTH);
        normalize(weights, "attention.output.LayerNorm", layer, x, count);
        multiply(weights, "intermediate.dense", layer, x, WIDTH, inner, INNER, count);
        for (size_t i = 0; i < count * INNER; i++) {
            inner[i] *= 0.5 * (1 + erf(inner[i] / sqrt(2)));
        }
        multiply(weights, "output.dense", layer, inner, INNER, y, WIDTH, count);
        add_to(x, y, count * WIDTH);
        normalize(weights, "output.LayerNorm", layer, x, count);
    }
    for (size_t at = 0; at < WIDTH; at++) {
        vector[at] = 0;
        for (size_t row = 0; row < count; row++) {
            vector[at] += x[row * WIDTH + at] / (double)count;
        }
        square += vector[at] * vector[at];
    }
    for (size_t at = 0; at < WIDTH; at++) {
        vector[at] /= sqrt(square);
    }
    free(x);
    free(y);
    free(parts[0]);
    free(parts[1]);
    free(parts[2]);
    free(inner);
}

/* ---------------------------------------------------------------- tests */

static struct weights weights;
static char folder[4096];

static int set_up(void **state)
{
    (void)state;
    struct random random = random_start();
    make_weights(&weights, &random);
    snprintf(folder, sizeof folder, "%s", test_folder());
    write_weights(folder, &weights, "");
    write_file(folder, "tokenizer.json", TOKENIZER, strlen(TOKENIZER));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free_weights(&weights);
    return 0;
}

static struct embed_model *open_model(void)
{
    struct embed_model *model = NULL;
    struct error error = {0};
    if (embed_model_open(folder, true, &model, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
    return model;
}

static struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

static void vectors_as_computed_plainly(void **state)
{
    (void)state;
    static const char *const strings[] = {"a.b_c",           "",      "d", "abba",
                                          "a a a a a a a a", "a.b_c", "x"};
    enum { COUNT = sizeof strings / sizeof *strings };
    struct text texts[COUNT];
    float vectors[COUNT * WIDTH];
    struct embed_model *model = open_model();
    struct error error = {0};
    for (size_t i = 0; i < COUNT; i++) {
        texts[i] = text_of(strings[i]);
    }
    texts[1] = (struct text){NULL, 0};
    assert_int_equal(embed_texts(model, texts, COUNT, vectors, &error), STATUS_OK);
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t tokens[EMBED_TOKENS_MAX] = {0};
        double expected[WIDTH];
        size_t count = embed_tokens(model, texts[i], tokens);
        compute(&weights, tokens, count, expected);
        for (size_t at = 0; at < WIDTH; at++) {
            if (!(fabs((double)vectors[i * WIDTH + at] - expected[at]) < 2e-6)) {
                fail_msg("%s[%zu]: %g, not %g", strings[i], at, (double)vectors[i * WIDTH + at],
                         expected[at]);
            }
        }
    }
    assert_memory_equal(vectors, vectors + 5 * WIDTH, WIDTH * sizeof *vectors);
    assert_non_null(strstr(embed_model_note(model), "SHA-256"));
    embed_model_close(model);
}

/* More than a batch holds, the longest that there are among them; each as if it were alone. */
static void a_vector_depends_on_its_text_alone(void **state)
{
    (void)state;
    enum { COUNT = 20, BYTES = 2 * LENGTH_MAX };
    static char strings[COUNT][BYTES + 1];
    static float vectors[COUNT * WIDTH];
    float alone[WIDTH];
    struct text texts[COUNT];
    struct embed_model *model = open_model();
    struct random random = random_start();
    struct error error = {0};
    for (size_t i = 0; i < COUNT; i++) {
        size_t length = i % 9 == 0 ? BYTES : random_below(&random, 60);
        for (size_t at = 0; at < length; at++) {
            strings[i][at] = "abcd._ "[random_below(&random, 7)];
        }
        texts[i] = (struct text){strings[i], length};
    }
    assert_int_equal(embed_texts(model, texts, COUNT, vectors, &error), STATUS_OK);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(embed_texts(model, &texts[i], 1, alone, &error), STATUS_OK);
        assert_memory_equal(alone, vectors + i * WIDTH, sizeof alone);
    }
    assert_int_equal(embed_texts(model, texts, 0, vectors, &error), STATUS_OK);
    embed_model_close(model);
}

static void names_may_have_a_prefix(void **state)
{
    (void)state;
    struct text text = text_of("abba.c");
    float plain[WIDTH];
    float prefixed[WIDTH];
    struct error error = {0};
    struct embed_model *model = open_model();
    assert_int_equal(embed_texts(model, &text, 1, plain, &error), STATUS_OK);
    embed_model_close(model);
    write_weights(folder, &weights, "bert.");
    model = open_model();
    write_weights(folder, &weights, ""); /* the open model keeps its file */
    assert_int_equal(embed_texts(model, &text, 1, prefixed, &error), STATUS_OK);
    assert_memory_equal(plain, prefixed, sizeof plain);
    embed_model_close(model);
}

static void refuse(bool any, enum error_code code, const char *why)
{
    struct embed_model *model = NULL;
    struct error error = {0};
    assert_int_equal(embed_model_open(folder, any, &model, &error), STATUS_FAILED);
    assert_null(model);
    if (error.code != code || strstr(error.message, why) == NULL) {
        fail_msg("%s: %s", error.object, error.message);
    }
}

static void models_that_are_refused(void **state)
{
    (void)state;
    struct weights changed = weights;
    refuse(false, ERROR_WEIGHTS_INVALID, "not the file that transhume knows");

    changed.count--;
    write_weights(folder, &changed, "");
    refuse(true, ERROR_WEIGHTS_INVALID, "lacks tensor encoder.layer.1.output.LayerNorm.bias");
    changed.count = 5;
    write_weights(folder, &changed, "");
    refuse(true, ERROR_WEIGHTS_INVALID, "1 to 24 layers");
    changed.tensors[1].rows = EMBED_TOKENS_MAX - 1;
    write_weights(folder, &changed, "");
    refuse(true, ERROR_WEIGHTS_INVALID, "fewer positions");
    changed.tensors[0].rows = WORDS - 1;
    changed.tensors[1].rows = EMBED_TOKENS_MAX;
    write_weights(folder, &changed, "");
    refuse(true, ERROR_WEIGHTS_INVALID, "knows 11 tokens, and its tokenizer makes 12");
    write_file(folder, "model.safetensors", "{}", 2);
    refuse(true, ERROR_WEIGHTS_INVALID, "no safetensors");
    write_file(folder, "model.safetensors", "", 0);
    refuse(true, ERROR_WEIGHTS_INVALID, "empty file");
    write_weights(folder, &weights, "");

    write_file(folder, "tokenizer.json", "{}", 2);
    refuse(true, ERROR_WEIGHTS_INVALID, "normal form");
    write_file(folder, "tokenizer.json", TOKENIZER, strlen(TOKENIZER));
}

static void weights_that_are_no_numbers(void **state)
{
    (void)state;
    float vector[WIDTH];
    struct text text = text_of("a");
    struct error error = {0};
    float *scale = weights.tensors[3].values;
    float kept = scale[7];
    scale[7] = NAN;
    write_weights(folder, &weights, "");
    scale[7] = kept;
    struct embed_model *model = open_model();
    assert_int_equal(embed_texts(model, &text, 1, vector, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_WEIGHTS_INVALID);
    embed_model_close(model);
    write_weights(folder, &weights, "");
}

static void where_weights_are_looked_for(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct error error = {0};
    const char *found = NULL;
    char place[4200];
    unsetenv("TRANSHUME_WEIGHTS");
    setenv("HOME", folder, 1);
    setenv("XDG_DATA_HOME", "relative", 1);

    assert_int_equal(embed_find(folder, arena, &found, &error), STATUS_OK);
    assert_string_equal(found, folder);
    assert_int_equal(embed_find("/nowhere", arena, &found, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_WEIGHTS_MISSING);
    assert_string_equal(error.object, "/nowhere");
    assert_non_null(strstr(error.hint, "make weights"));

    setenv("TRANSHUME_WEIGHTS", folder, 1);
    assert_int_equal(embed_find(NULL, arena, &found, &error), STATUS_OK);
    assert_string_equal(found, folder);
    setenv("TRANSHUME_WEIGHTS", "/nowhere", 1);
    assert_int_equal(embed_find(NULL, arena, &found, &error), STATUS_FAILED);
    unsetenv("TRANSHUME_WEIGHTS");

    snprintf(place, sizeof place, "%s/.local/share/transhume/minilm", folder);
    assert_int_equal(file_make_folder(place, &error), STATUS_OK);
    write_file(place, "model.fp16.safetensors", "", 0);
    assert_int_equal(embed_find(NULL, arena, &found, &error), STATUS_OK);
    assert_string_equal(found, place);
    setenv("XDG_DATA_HOME", folder, 1);
    snprintf(place, sizeof place, "%s/transhume/minilm", folder);
    assert_int_equal(file_make_folder(place, &error), STATUS_OK);
    write_file(place, "model.safetensors", "", 0);
    assert_int_equal(embed_find(NULL, arena, &found, &error), STATUS_OK);
    assert_string_equal(found, place);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_as_computed_plainly),
        cmocka_unit_test(a_vector_depends_on_its_text_alone),
        cmocka_unit_test(names_may_have_a_prefix),
        cmocka_unit_test(models_that_are_refused),
        cmocka_unit_test(weights_that_are_no_numbers),
        cmocka_unit_test(where_weights_are_looked_for),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
