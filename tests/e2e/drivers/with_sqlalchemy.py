# python3 with_sqlalchemy.py URL FILE: the lines of FILE, in hex: bytes, then texts, an object each, in a transaction of its own
import sys

from sqlalchemy import BigInteger, Column, FetchedValue, LargeBinary, Text, create_engine
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Session, declarative_base


class Message(declarative_base()):
    __tablename__ = "outbox"
    # What the database fills in comes back by RETURNING.
    __mapper_args__ = {"eager_defaults": True}
    seq = Column(BigInteger, primary_key=True, server_default=FetchedValue())
    id = Column(UUID(as_uuid=True), server_default=FetchedValue())
    topic = Column(Text)
    data = Column(Text)
    payload = Column(LargeBinary)
    content_type = Column(Text, server_default=FetchedValue())


payload, *texts = (bytes.fromhex(line) for line in open(sys.argv[2]))
engine = create_engine(sys.argv[1].replace("postgresql:", "postgresql+psycopg2:", 1))
messages = [Message(topic="insert", data=text) for text in map(bytes.decode, texts)]
for message in [*messages, Message(topic="bytes", payload=payload)]:
    with Session(engine) as session, session.begin():
        session.add(message)
        session.flush()
        assert message.seq > 0 and message.id and message.content_type == "application/json"
try:
    with Session(engine) as session, session.begin():
        session.add(Message(topic="nul", data="a\0b"))
except ValueError as error:
    print("refused:", error)
