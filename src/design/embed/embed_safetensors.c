/* Reads the header of a file of tensors, and values from it. */
#include "design/embed/embed_safetensors.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "model/json_tree.h"
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, HEADER_BYTES_MAX = 100 << 20, DIMENSIONS_MAX = 8 };

struct embed_safetensors {
    const char *name;
    json_t *header;
    const unsigned char *data;
    size_t data_bytes;
};

/* Types that a file may hold, and how long their values are. */
static const struct type_length {
    const char *name;
    size_t bytes;
} type_lengths[] = {{"F16", 2}, {"F32", 4}, {"BF16", 2}, {"F64", 8},     {"I64", 8},
                    {"I32", 4}, {"I16", 2}, {"I8", 1},   {"U64", 8},     {"U32", 4},
                    {"U16", 2}, {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};

struct extent {
    const char *name;
    uint64_t begin;
    uint64_t end;
};

static enum status damaged(const char *file, const char *tensor, const char *why,
                           struct error *error)
{
    return error_set(error, ERROR_WEIGHTS_INVALID, file, "tensor %s %s", tensor, why);
}

static int is_whole(const json_t *number)
{
    return json_is_integer(number) && json_integer_value(number) >= 0;
}

static size_t bytes_of_type(const char *type)
{
    for (size_t i = 0; type != NULL && i < sizeof type_lengths / sizeof *type_lengths; i++) {
        if (strcmp(type, type_lengths[i].name) == 0) {
            return type_lengths[i].bytes;
        }
    }
    return 0;
}

/* How many bytes type and shape make; false: they are none, or more than any file has. */
static int bytes_of_shape(const json_t *entry, uint64_t *bytes)
{
    const json_t *shape = json_object_get(entry, "shape");
    *bytes = bytes_of_type(json_string_value(json_object_get(entry, "dtype")));
    if (*bytes == 0 || !json_is_array(shape) || json_array_size(shape) > DIMENSIONS_MAX) {
        return 0;
    }
    for (size_t i = 0; i < json_array_size(shape); i++) {
        const json_t *size = json_array_get(shape, i);
        if (!is_whole(size) ||
            __builtin_mul_overflow(*bytes, (uint64_t)json_integer_value(size), bytes)) {
            return 0;
        }
    }
    return 1;
}

static enum status read_entry(const struct embed_safetensors *file, const char *name,
                              const json_t *entry, struct extent *extent, struct error *error)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    uint64_t bytes = 0;
    if (!json_is_object(entry) || !bytes_of_shape(entry, &bytes)) {
        return damaged(file->name, name, "has no type and shape that could be read", error);
    }
    if (json_array_size(offsets) != 2 || !is_whole(json_array_get(offsets, 0)) ||
        !is_whole(json_array_get(offsets, 1))) {
        return damaged(file->name, name, "does not say where its values are", error);
    }
    *extent = (struct extent){name, (uint64_t)json_integer_value(json_array_get(offsets, 0)),
                              (uint64_t)json_integer_value(json_array_get(offsets, 1))};
    if (extent->end > file->data_bytes || extent->begin > extent->end) {
        return damaged(file->name, name, "reaches beyond the end of the file", error);
    }
    if (extent->end - extent->begin != bytes) {
        return damaged(file->name, name, "has more or fewer values than its shape", error);
    }
    return STATUS_OK;
}

static int compare_extents(const void *left, const void *right)
{
    const struct extent *a = left;
    const struct extent *b = right;
    if (a->begin != b->begin) {
        return a->begin < b->begin ? -1 : 1;
    }
    return a->end < b->end ? -1 : a->end > b->end;
}

/* Every byte of the values belongs to one tensor. */
static enum status check_cover(const struct embed_safetensors *file, struct extent *extents,
                               size_t count, struct error *error)
{
    uint64_t reached = 0;
    qsort(extents, count, sizeof *extents, compare_extents);
    for (size_t i = 0; i < count; i++) {
        if (extents[i].begin != reached) {
            return damaged(file->name, extents[i].name,
                           "does not begin where the one before it ends", error);
        }
        reached = extents[i].end;
    }
    if (reached != file->data_bytes) {
        return error_set(error, ERROR_WEIGHTS_INVALID, file->name,
                         "the file holds more bytes than its header tells of");
    }
    return STATUS_OK;
}

static enum status check_entries(const struct embed_safetensors *file, struct error *error)
{
    size_t count = 0;
    struct extent *extents =
        memory_allocate_zeroed(json_object_size(file->header) + 1, sizeof *extents);
    enum status status = STATUS_OK;
    const char *name = NULL;
    json_t *entry = NULL;
    json_object_foreach(file->header, name, entry)
    {
        if (strcmp(name, "__metadata__") != 0) {
            status = read_entry(file, name, entry, &extents[count++], error);
            if (status != STATUS_OK) {
                goto out;
            }
        }
    }
    status = check_cover(file, extents, count, error);
out:
    free(extents);
    return status;
}

enum status embed_safetensors_read(const void *bytes, size_t length, const char *name,
                                   struct embed_safetensors **out, struct error *error)
{
    const unsigned char *start = bytes;
    uint64_t header_bytes = length >= LENGTH_BYTES ? bytes_get_le(start, LENGTH_BYTES) : 0;
    *out = NULL;
    if (length < LENGTH_BYTES || header_bytes > HEADER_BYTES_MAX ||
        header_bytes > length - LENGTH_BYTES) {
        return error_set(error, ERROR_WEIGHTS_INVALID, name,
                         "this is no safetensors file, or its end is missing");
    }
    struct embed_safetensors *file = memory_allocate(sizeof *file);
    *file = (struct embed_safetensors){.name = memory_copy_string(name),
                                       .data = start + LENGTH_BYTES + header_bytes,
                                       .data_bytes = length - LENGTH_BYTES - header_bytes};
    enum status status =
        json_tree_parse((const char *)start + LENGTH_BYTES, header_bytes, JSON_REJECT_DUPLICATES,
                        name, ERROR_WEIGHTS_INVALID, &file->header, error);
    if (status == STATUS_OK && !json_is_object(file->header)) {
        status = error_set(error, ERROR_WEIGHTS_INVALID, name, "the header is no JSON object");
    }
    if (status == STATUS_OK) {
        status = check_entries(file, error);
    }
    if (status != STATUS_OK) {
        embed_safetensors_close(file);
        return status;
    }
    *out = file;
    return STATUS_OK;
}

void embed_safetensors_close(struct embed_safetensors *file)
{
    if (file != NULL) {
        json_decref(file->header);
        free((char *)(uintptr_t)file->name);
        free(file);
    }
}

enum status embed_safetensors_find(const struct embed_safetensors *file, const char *tensor_name,
                                   size_t rows, size_t columns, struct embed_tensor *tensor,
                                   struct error *error)
{
    const json_t *entry = json_object_get(file->header, tensor_name);
    const json_t *shape = json_object_get(entry, "shape");
    size_t dimensions = json_array_size(shape);
    if (entry == NULL) {
        return STATUS_END;
    }
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    if (strcmp(type, "F16") != 0 && strcmp(type, "F32") != 0) {
        return error_set(error, ERROR_WEIGHTS_INVALID, file->name,
                         "tensor %s is of type %s, and F16 and F32 are read", tensor_name, type);
    }
    uint64_t found_columns =
        dimensions == 0 ? 0 : (uint64_t)json_integer_value(json_array_get(shape, dimensions - 1));
    uint64_t found_rows =
        dimensions == 2 ? (uint64_t)json_integer_value(json_array_get(shape, 0)) : 1;
    if (dimensions < 1 || dimensions > 2 || found_columns != columns ||
        (rows != 0 && found_rows != rows)) {
        return error_set(error, ERROR_WEIGHTS_INVALID, file->name,
                         "tensor %s has not the shape of the model's, which is %zu x %zu",
                         tensor_name, rows, columns);
    }
    *tensor = (struct embed_tensor){
        .type = type[1] == '1' ? EMBED_TYPE_F16 : EMBED_TYPE_F32,
        .rows = found_rows,
        .columns = columns,
        .bytes = file->data +
                 json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 0))};
    return STATUS_OK;
}

/* IEEE 754: a sign, 5 bits of exponent, 10 of fraction. */
static float half_to_float(uint16_t half)
{
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13;
    float value;
    if ((half & 0x7c00) == 0x7c00) { /* infinite, or no number */
        bits |= 0x7f800000;
    }
    memcpy(&value, &bits, sizeof value);
    if ((half & 0x7c00) != 0x7c00) {
        value *= 0x1p112F; /* from the one bias to the other, numbers below the normal ones too */
    }
    return half & 0x8000 ? -value : value;
}

void embed_tensor_rows(const struct embed_tensor *tensor, size_t first, size_t count, float *out)
{
    size_t begin = first * tensor->columns;
    size_t values = count * tensor->columns;
    if (tensor->type == EMBED_TYPE_F16) {
        const unsigned char *from = tensor->bytes + 2 * begin;
        for (size_t at = 0; at < values; at++) {
            out[at] = half_to_float((uint16_t)(from[2 * at] | from[2 * at + 1] << 8));
        }
        return;
    }
    const unsigned char *from = tensor->bytes + 4 * begin;
    for (size_t at = 0; at < values; at++) {
        uint32_t bits = (uint32_t)bytes_get_le(from + 4 * at, 4);
        memcpy(&out[at], &bits, sizeof bits);
    }
}
