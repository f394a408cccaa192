"""Training: recipes, manifests, augmentation, the loop and the export to ONNX."""
