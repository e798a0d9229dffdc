"""The Azure AI Model Inference dialect: `/chat/completions` and `/models/chat/completions`."""
