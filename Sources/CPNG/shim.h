#pragma once

#include <png.h>
#include <string.h>

/// Writes a picture of one grey byte a pixel. `length` is the room at `memory` and becomes what was used; with no memory
/// it becomes what is needed. 1: done.
static inline int gatehouse_png_grey(
    const unsigned char *pixels, unsigned int width, unsigned int height, void *memory, size_t *length) {
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = width;
    image.height = height;
    image.format = PNG_FORMAT_GRAY;
    png_alloc_size_t size = *length;
    int done = png_image_write_to_memory(&image, memory, &size, 0, pixels, 0, NULL);
    *length = size;
    png_image_free(&image);
    return done;
}
