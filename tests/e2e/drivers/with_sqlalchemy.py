# python3 with_sqlalchemy.py URL FILE: an object per text of the JSON array in FILE, in a transaction of its own
import json
import sys

from sqlalchemy import BigInteger, Column, FetchedValue, Text, create_engine
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
    content_type = Column(Text, server_default=FetchedValue())


engine = create_engine(sys.argv[1].replace("postgresql:", "postgresql+psycopg2:", 1))
for text in json.load(open(sys.argv[2], encoding="utf-8")):
    with Session(engine) as session, session.begin():
        message = Message(topic="insert", data=text)
        session.add(message)
        session.flush()
        assert message.seq > 0 and message.id and message.content_type == "application/json"
