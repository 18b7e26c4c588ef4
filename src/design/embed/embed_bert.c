/* BERT's weights, and the way of a batch through its layers. */
#include "design/embed/embed_bert.h"

#include "base/memory.h"
#include "design/embed/embed.h"
#include "design/linear/linear.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = EMBED_WIDTH,
    HEADS = 12,
    HEAD_WIDTH = WIDTH / HEADS,
    INNER = 4 * WIDTH,
    QKV_WIDTH = 3 * WIDTH, /* queries, keys and values of a token, one behind the other */
    LAYERS_MAX = 24,
    NAME_BYTES = 96
};

struct norm {
    float scale[WIDTH];
    float shift[WIDTH];
};

struct layer {
    struct linear_packed *qkv;
    struct linear_packed *output;
    struct linear_packed *widen;
    struct linear_packed *narrow;
    float qkv_bias[QKV_WIDTH];
    float output_bias[WIDTH];
    float widen_bias[INNER];
    float narrow_bias[WIDTH];
    struct norm attention_norm;
    struct norm norm;
};

struct embed_bert {
    const char *name;
    struct embed_tensor words;
    struct norm norm;
    float *positions; /* EMBED_TOKENS_MAX rows, to each of which token type 0 is added */
    struct layer *layers;
    size_t layer_count;
    /* values of the batch in hand, a row a token */
    float *x;
    float *y;
    float *qkv;
    float *inner;
};

/* A reader of tensors: the file that they are in, and room for the largest. */
struct reading {
    const struct embed_safetensors *file;
    const char *name;
    const char *prefix; /* of all names: "" or "bert." */
    float *values;
    struct error *error;
};

/* ---------------------------------------------------------------- reading the weights */

static enum status embed_bert_find(const struct reading *reading, const char *stem,
                                   const char *part, size_t rows, size_t columns,
                                   struct embed_tensor *tensor)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s%s.%s", reading->prefix, stem, part);
    enum status status =
        embed_safetensors_find(reading->file, name, rows, columns, tensor, reading->error);
    return status == STATUS_END ? error_set(reading->error, ERROR_WEIGHTS_INVALID, reading->name,
                                            "the model lacks tensor %s", name)
                                : status;
}

static enum status read_values(const struct reading *reading, const char *stem, const char *part,
                               size_t rows, size_t columns, float *out)
{
    struct embed_tensor tensor;
    if (embed_bert_find(reading, stem, part, rows, columns, &tensor) != STATUS_OK) {
        return STATUS_FAILED;
    }
    embed_tensor_rows(&tensor, 0, rows, out);
    return STATUS_OK;
}

static enum status read_norm(const struct reading *reading, const char *stem, struct norm *norm)
{
    return read_values(reading, stem, "weight", 1, WIDTH, norm->scale) == STATUS_OK
               ? read_values(reading, stem, "bias", 1, WIDTH, norm->shift)
               : STATUS_FAILED;
}

static enum status read_linear(const struct reading *reading, const char *stem, size_t rows,
                               size_t columns, struct linear_packed **packed, float *bias)
{
    if (read_values(reading, stem, "weight", rows, columns, reading->values) != STATUS_OK ||
        read_values(reading, stem, "bias", 1, rows, bias) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *packed = linear_pack(reading->values, rows, columns);
    return STATUS_OK;
}

static const char *name_in_layer(char stem[NAME_BYTES], size_t layer, const char *part)
{
    snprintf(stem, NAME_BYTES, "encoder.layer.%zu.%s", layer, part);
    return stem;
}

/* Queries, keys and values are three matrices in the file and one here. */
static enum status read_qkv(const struct reading *reading, size_t number, struct layer *layer)
{
    static const char *const parts[] = {"attention.self.query", "attention.self.key",
                                        "attention.self.value"};
    char stem[NAME_BYTES];
    for (size_t i = 0; i < 3; i++) {
        name_in_layer(stem, number, parts[i]);
        if (read_values(reading, stem, "weight", WIDTH, WIDTH,
                        reading->values + i * WIDTH * WIDTH) != STATUS_OK ||
            read_values(reading, stem, "bias", 1, WIDTH, layer->qkv_bias + i * WIDTH) !=
                STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    layer->qkv = linear_pack(reading->values, QKV_WIDTH, WIDTH);
    return STATUS_OK;
}

static enum status read_layer(const struct reading *reading, size_t number, struct layer *layer)
{
    char stem[NAME_BYTES];
    if (read_qkv(reading, number, layer) != STATUS_OK ||
        read_linear(reading, name_in_layer(stem, number, "attention.output.dense"), WIDTH, WIDTH,
                    &layer->output, layer->output_bias) != STATUS_OK ||
        read_norm(reading, name_in_layer(stem, number, "attention.output.LayerNorm"),
                  &layer->attention_norm) != STATUS_OK ||
        read_linear(reading, name_in_layer(stem, number, "intermediate.dense"), INNER, WIDTH,
                    &layer->widen, layer->widen_bias) != STATUS_OK ||
        read_linear(reading, name_in_layer(stem, number, "output.dense"), WIDTH, INNER,
                    &layer->narrow, layer->narrow_bias) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return read_norm(reading, name_in_layer(stem, number, "output.LayerNorm"), &layer->norm);
}

static enum status read_positions(const struct reading *reading, struct embed_bert *bert)
{
    struct embed_tensor positions;
    struct embed_tensor types;
    float type[WIDTH];
    if (embed_bert_find(reading, "embeddings.position_embeddings", "weight", 0, WIDTH,
                        &positions) != STATUS_OK ||
        embed_bert_find(reading, "embeddings.token_type_embeddings", "weight", 0, WIDTH, &types) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    if (positions.rows < EMBED_TOKENS_MAX || types.rows < 1) {
        return error_set(reading->error, ERROR_WEIGHTS_INVALID, reading->name,
                         "the model has fewer positions than %d", EMBED_TOKENS_MAX);
    }
    bert->positions = memory_allocate_zeroed(EMBED_TOKENS_MAX, WIDTH * sizeof(float));
    embed_tensor_rows(&positions, 0, EMBED_TOKENS_MAX, bert->positions);
    embed_tensor_rows(&types, 0, 1, type);
    for (size_t at = 0; at < EMBED_TOKENS_MAX * (size_t)WIDTH; at++) {
        bert->positions[at] += type[at % WIDTH];
    }
    return STATUS_OK;
}

/* Models saved as a part of a larger one have names with a prefix. */
static const char *find_prefix(const struct embed_safetensors *file)
{
    struct embed_tensor tensor;
    struct error ignored;
    return embed_safetensors_find(file, "bert.embeddings.LayerNorm.weight", 1, WIDTH, &tensor,
                                  &ignored) == STATUS_END
               ? ""
               : "bert.";
}

static size_t count_layers(const struct reading *reading)
{
    char stem[NAME_BYTES];
    char name[NAME_BYTES + sizeof "bert."];
    struct embed_tensor tensor;
    struct error ignored;
    size_t count = 0;
    do {
        snprintf(name, sizeof name, "%s%s", reading->prefix,
                 name_in_layer(stem, count, "output.dense.bias"));
    } while (embed_safetensors_find(reading->file, name, 1, WIDTH, &tensor, &ignored) !=
                 STATUS_END &&
             ++count <= LAYERS_MAX);
    return count;
}

static enum status read_bert(const struct reading *reading, uint32_t tokens_min,
                             struct embed_bert *bert)
{
    if (embed_bert_find(reading, "embeddings.word_embeddings", "weight", 0, WIDTH, &bert->words) !=
            STATUS_OK ||
        read_positions(reading, bert) != STATUS_OK ||
        read_norm(reading, "embeddings.LayerNorm", &bert->norm) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (bert->words.rows < tokens_min) {
        return error_set(reading->error, ERROR_WEIGHTS_INVALID, reading->name,
                         "the model knows %zu tokens, and its tokenizer makes %u", bert->words.rows,
                         (unsigned)tokens_min);
    }
    size_t layers = count_layers(reading);
    if (layers < 1 || layers > LAYERS_MAX) {
        return error_set(reading->error, ERROR_WEIGHTS_INVALID, reading->name,
                         "the model has not 1 to %d layers", LAYERS_MAX);
    }
    bert->layers = memory_allocate_zeroed(layers, sizeof *bert->layers);
    bert->layer_count = layers;
    for (size_t layer = 0; layer < layers; layer++) {
        if (read_layer(reading, layer, &bert->layers[layer]) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static float *rows_of(size_t width)
{
    return memory_allocate_zeroed(EMBED_BATCH_TOKENS, width * sizeof(float));
}

enum status embed_bert_read(const struct embed_safetensors *file, const char *name,
                            uint32_t tokens_min, struct embed_bert **out, struct error *error)
{
    struct embed_bert *bert = memory_allocate_zeroed(1, sizeof *bert);
    struct reading reading = {.file = file,
                              .name = name,
                              .prefix = find_prefix(file),
                              .values = memory_resize(NULL, (size_t)INNER * WIDTH, sizeof(float)),
                              .error = error};
    *out = NULL;
    bert->name = memory_copy_string(name);
    enum status status = read_bert(&reading, tokens_min, bert);
    free(reading.values);
    if (status != STATUS_OK) {
        embed_bert_close(bert);
        return status;
    }
    bert->x = rows_of(WIDTH);
    bert->y = rows_of(WIDTH);
    bert->qkv = rows_of(QKV_WIDTH);
    bert->inner = rows_of(INNER);
    *out = bert;
    return STATUS_OK;
}

void embed_bert_close(struct embed_bert *bert)
{
    if (bert == NULL) {
        return;
    }
    for (size_t layer = 0; layer < bert->layer_count; layer++) {
        linear_packed_free(bert->layers[layer].qkv);
        linear_packed_free(bert->layers[layer].output);
        linear_packed_free(bert->layers[layer].widen);
        linear_packed_free(bert->layers[layer].narrow);
    }
    free(bert->layers);
    free(bert->positions);
    free(bert->x);
    free(bert->y);
    free(bert->qkv);
    free(bert->inner);
    free((char *)(uintptr_t)bert->name);
    free(bert);
}

/* ---------------------------------------------------------------- a batch */

static void normalize_rows(float *rows, size_t count, const struct norm *norm)
{
    for (size_t row = 0; row < count; row++) {
        linear_normalize(rows + row * WIDTH, norm->scale, norm->shift, WIDTH);
    }
}

static void add_rows(float *to, const float *from, size_t count)
{
    for (size_t at = 0; at < count * WIDTH; at++) {
        to[at] += from[at];
    }
}

static void look_up_words(struct embed_bert *bert, const struct embed_batch *batch)
{
    for (size_t i = 0; i < batch->sequence_count; i++) {
        const struct embed_sequence *sequence = &batch->sequences[i];
        float *rows = bert->x + sequence->begin * WIDTH;
        for (size_t at = 0; at < sequence->length; at++) {
            embed_tensor_rows(&bert->words, batch->tokens[sequence->begin + at], 1,
                              rows + at * WIDTH);
        }
        add_rows(rows, bert->positions, sequence->length);
    }
    normalize_rows(bert->x, batch->token_count, &bert->norm);
}

/* The value that one token takes from all tokens of its text, by one head: the mean of their
 * values, weighted by softmax(query · key / √32). */
static void attend(const float *query, const float *keys, size_t length, float *out)
{
    float weights[EMBED_TOKENS_MAX];
    float greatest = -INFINITY;
    float sum = 0;
    float mean[HEAD_WIDTH] = {0};
    for (size_t at = 0; at < length; at++) {
        weights[at] = linear_dot(query, keys + at * QKV_WIDTH, HEAD_WIDTH) *
                      (1.0F / sqrtf((float)HEAD_WIDTH));
        greatest = fmaxf(greatest, weights[at]);
    }
    for (size_t at = 0; at < length; at++) {
        const float *values = keys + at * QKV_WIDTH + WIDTH;
        float weight = expf(weights[at] - greatest);
        sum += weight;
        for (size_t i = 0; i < HEAD_WIDTH; i++) {
            mean[i] += weight * values[i];
        }
    }
    for (size_t i = 0; i < HEAD_WIDTH; i++) {
        out[i] = mean[i] / sum;
    }
}

/* From `qkv` into `y`. */
static void attend_all(struct embed_bert *bert, const struct embed_batch *batch)
{
    for (size_t i = 0; i < batch->sequence_count; i++) {
        const struct embed_sequence *sequence = &batch->sequences[i];
        const float *qkv = bert->qkv + sequence->begin * QKV_WIDTH;
        float *out = bert->y + sequence->begin * WIDTH;
        for (size_t at = 0; at < sequence->length; at++) {
            for (size_t head = 0; head < HEADS; head++) {
                size_t column = head * HEAD_WIDTH;
                attend(qkv + at * QKV_WIDTH + column, qkv + WIDTH + column, sequence->length,
                       out + at * WIDTH + column);
            }
        }
    }
}

static void run_layer(struct embed_bert *bert, const struct layer *layer,
                      const struct embed_batch *batch)
{
    size_t count = batch->token_count;
    linear_multiply(bert->x, count, layer->qkv, layer->qkv_bias, bert->qkv);
    attend_all(bert, batch);
    /* The queries are not needed any more: their room takes the sum. */
    linear_multiply(bert->y, count, layer->output, layer->output_bias, bert->qkv);
    add_rows(bert->x, bert->qkv, count);
    normalize_rows(bert->x, count, &layer->attention_norm);
    linear_multiply(bert->x, count, layer->widen, layer->widen_bias, bert->inner);
    linear_gelu(bert->inner, count * INNER);
    linear_multiply(bert->inner, count, layer->narrow, layer->narrow_bias, bert->y);
    add_rows(bert->x, bert->y, count);
    normalize_rows(bert->x, count, &layer->norm);
}

/* False: it has no length that is a number above 0. */
static int pool(const float *rows, size_t count, float *vector)
{
    double square = 0;
    memset(vector, 0, WIDTH * sizeof *vector);
    for (size_t row = 0; row < count; row++) {
        add_rows(vector, rows + row * WIDTH, 1);
    }
    for (size_t at = 0; at < WIDTH; at++) {
        vector[at] /= (float)count;
        square += (double)vector[at] * vector[at];
    }
    float length = (float)sqrt(square);
    for (size_t at = 0; at < WIDTH; at++) {
        vector[at] /= length;
    }
    return isfinite(length) && length > 0;
}

enum status embed_bert_run(struct embed_bert *bert, const struct embed_batch *batch,
                           struct error *error)
{
    look_up_words(bert, batch);
    for (size_t layer = 0; layer < bert->layer_count; layer++) {
        run_layer(bert, &bert->layers[layer], batch);
    }
    for (size_t i = 0; i < batch->sequence_count; i++) {
        const struct embed_sequence *sequence = &batch->sequences[i];
        if (!pool(bert->x + sequence->begin * WIDTH, sequence->length, sequence->vector)) {
            return error_set(error, ERROR_WEIGHTS_INVALID, bert->name,
                             "the weights make no vector: they hold values that are no numbers");
        }
    }
    return STATUS_OK;
}
