/*
 * What the embedding model reads: files of tensors, tokenizers, texts. The input is an archive with
 * parts of these names, in any order:
 *
 *   file       a file of tensors
 *   header     the header of one; its length and 64 bytes of values are put around it
 *   tokenizer  a tokenizer.json, for the texts that follow; before it, there is a small one
 *   text       a text
 */
#include "support.h"

#include "base/bytes.h"
#include "design/embed/embed_normal.h"
#include "design/embed/embed_safetensors.h"
#include "design/embed/embed_wordpiece.h"
#include <string.h>

enum { TENSOR_BYTES = 64, TOKENS_MAX = 32 };

static const char small_tokenizer[] =
    "{\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"added_tokens\":[{\"id\":3,\"content\":\"[SEP]\"},{\"id\":4,\"content\":\"[SEP]x\"}],"
    "\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"a\":5,"
    "\"##a\":6,\"ab\":7,\"##c\":8,\".\":9,\"_\":10}}}";

/* Every tensor that can be found can be read to its end. */
static void read_tensors(const void *bytes, size_t length)
{
    static const char *const names[] = {"a", "b", "embeddings.LayerNorm.weight"};
    struct embed_safetensors *file = NULL;
    struct error error = {0};
    if (embed_safetensors_read(bytes, length, "model.safetensors", &file, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        FUZZ_REQUIRE(file == NULL);
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (size_t columns = 1; columns <= 4; columns++) {
            struct embed_tensor tensor = {0};
            float values[4];
            enum status status =
                embed_safetensors_find(file, names[i], 0, columns, &tensor, &error);
            if (status == STATUS_FAILED) {
                fuzz_check_error(&error);
            }
            for (size_t row = 0; status == STATUS_OK && row < tensor.rows; row++) {
                embed_tensor_rows(&tensor, row, 1, values);
            }
        }
    }
    embed_safetensors_close(file);
}

static void read_header(struct text header)
{
    struct buffer file = {0};
    uint8_t length[8];
    static const char values[TENSOR_BYTES] = "values";
    bytes_put_le(length, header.length, 8);
    buffer_append(&file, length, sizeof length);
    buffer_append(&file, header.data, header.length);
    buffer_append(&file, values, sizeof values);
    read_tensors(file.data, file.length);
    buffer_free(&file);
}

/* NULL: it was refused. */
static struct embed_wordpiece *read_tokenizer(const char *bytes, size_t length)
{
    struct embed_wordpiece *wordpiece = NULL;
    struct error error = {0};
    if (embed_wordpiece_read(bytes, length, "tokenizer.json", &wordpiece, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        FUZZ_REQUIRE(wordpiece == NULL);
    }
    return wordpiece;
}

/* The first tokens of a text are the same, however many may be. */
static void split_text(struct embed_wordpiece *wordpiece, struct text text)
{
    uint32_t tokens[TOKENS_MAX];
    uint32_t fewer[TOKENS_MAX];
    size_t count = embed_wordpiece_split(wordpiece, text, tokens, TOKENS_MAX);
    FUZZ_REQUIRE(count >= 2 && count <= TOKENS_MAX);
    for (size_t i = 0; i < count; i++) {
        FUZZ_REQUIRE(tokens[i] < embed_wordpiece_size(wordpiece));
    }
    for (size_t limit = 2; limit <= count; limit++) {
        FUZZ_REQUIRE(embed_wordpiece_split(wordpiece, text, fewer, limit) == limit);
        FUZZ_REQUIRE(memcmp(tokens, fewer, (limit - 1) * sizeof *tokens) == 0);
        FUZZ_REQUIRE(fewer[limit - 1] == tokens[count - 1]);
    }
}

static void normalize_text(struct text text)
{
    struct embed_points points = {0};
    embed_normalize(text, &points);
    for (size_t i = 0; i < points.count; i++) {
        uint32_t point = points.points[i];
        FUZZ_REQUIRE(point >= ' ' && point != 0xfffd && point <= 0x10ffff);
        FUZZ_REQUIRE(point < 'A' || point > 'Z');
    }
    embed_points_free(&points);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text archive = {(const char *)data, size};
    struct fuzz_part part = {0};
    struct embed_wordpiece *wordpiece = read_tokenizer(small_tokenizer, sizeof small_tokenizer - 1);
    while (wordpiece != NULL && fuzz_next_part(&archive, &part)) {
        if (part.name.length == 4 && memcmp(part.name.data, "file", 4) == 0) {
            read_tensors(part.bytes.data, part.bytes.length);
        } else if (part.name.length == 6 && memcmp(part.name.data, "header", 6) == 0) {
            read_header(part.bytes);
        } else if (part.name.length == 9 && memcmp(part.name.data, "tokenizer", 9) == 0) {
            embed_wordpiece_close(wordpiece);
            wordpiece = read_tokenizer(part.bytes.data, part.bytes.length);
        } else {
            normalize_text(part.bytes);
            split_text(wordpiece, part.bytes);
        }
    }
    embed_wordpiece_close(wordpiece);
    return 0;
}
