"""LangChain's standard suite for chat models, through langchain-mistralai."""

import os

from langchain_mistralai import ChatMistralAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests


class _Served:
    """The class under test, and where it finds its model."""

    @property
    def chat_model_class(self):
        return ChatMistralAI

    @property
    def chat_model_params(self):
        return {
            "model": "Cupola-Pilot",
            "base_url": os.environ["TARGET_URI"] + "/v1",
            "api_key": os.environ["ENDPOINT_KEY"],
        }


class TestUnit(_Served, ChatModelUnitTests):
    pass


class TestIntegration(_Served, ChatModelIntegrationTests):
    pass
