"""Look at a folder of images and annotations, and write a study of it."""
