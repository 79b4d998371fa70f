"""A run's trials as other tools show them: TensorBoard, MLflow, Weights & Biases and Optuna's dashboard."""
